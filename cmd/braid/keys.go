package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/pg/embedded"
	"github.com/braidhq/braid/platform/secret"
	"github.com/braidhq/braid/services/identity"
)

// keysTimeout bounds one command: it is a transaction or two.
const keysTimeout = 30 * time.Second

func newKeys() *cobra.Command {
	command := &cobra.Command{Use: "keys", Short: "Look after the services' keys"}
	command.AddCommand(newKeysInit(), newKeysList(), newKeysRotate())
	return command
}

func newKeysInit() *cobra.Command {
	s := newSettings(true)
	command := &cobra.Command{
		Use: "init", Short: "Make the keys that are missing; what is there stays", Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := s.load(command.Flags(), need{}); err != nil {
				return err
			}
			if err := secret.Init(s.Process.KeyDir, keyHolders()); err != nil {
				return err
			}
			_, err := fmt.Fprintln(command.OutOrStdout(), "keys are in", s.Process.KeyDir)
			return err
		},
	}
	s.registry.BindFlags(command.Flags())
	return command
}

func newKeysList() *cobra.Command {
	return newSigningKeysCommand("list", "List the keys that sign access tokens, the youngest first",
		func(ctx context.Context, out io.Writer, keys *identity.SigningKeys) error {
			listed, err := keys.List(ctx)
			if err != nil {
				return err
			}
			now := keys.Clock.Now()
			current, _ := listed.Current(now)
			for _, key := range listed {
				state := "verifies until " + key.VerifiesUntil.Format(time.RFC3339)
				switch {
				case key.ID == current.ID:
					state = "signs since " + key.SignsFrom.Format(time.RFC3339)
				case key.SignsFrom.After(now):
					state = "signs from " + key.SignsFrom.Format(time.RFC3339)
				}
				if _, err := fmt.Fprintln(out, key.ID, state); err != nil {
					return err
				}
			}
			return nil
		})
}

func newKeysRotate() *cobra.Command {
	var now bool
	command := newSigningKeysCommand("rotate", "Make another key sign access tokens, once every process has seen it",
		func(ctx context.Context, out io.Writer, keys *identity.SigningKeys) error {
			rotate := keys.Rotate
			if now {
				rotate = keys.RotateNow
			}
			key, err := rotate(ctx)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(out, key.ID, "signs from", key.SignsFrom.Format(time.RFC3339))
			return err
		})
	command.Flags().BoolVar(&now, "now", false, "sign with it at once and give the older keys up: every access token ends, sessions go on with the next refresh")
	return command
}

func newSigningKeysCommand(use, short string, act func(context.Context, io.Writer, *identity.SigningKeys) error) *cobra.Command {
	s := newSettings(true)
	command := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := s.load(command.Flags(), need{}); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(command.Context(), keysTimeout)
			defer cancel()
			return withIdentity(ctx, s, func(database *pg.DB, keys *secret.Keys) error {
				return act(ctx, command.OutOrStdout(), identity.OpenSigningKeys(database, keys, clock.System{}))
			})
		},
	}
	s.registry.BindFlags(command.Flags())
	return command
}

// withIdentity opens identity's database and keys, whether or not identity runs.
func withIdentity(ctx context.Context, s *settings, act func(database *pg.DB, keys *secret.Keys) error) error {
	url, err := databaseFor(ctx, s, identity.Name)
	if err != nil {
		return err
	}
	held, err := secret.Load(s.Process.KeyDir, identity.Name)
	if err != nil {
		return err
	}
	logger, closeLog := newLogger(s)
	defer func() { _ = closeLog() }()
	database, err := pg.Open(ctx, pg.Config{Service: identity.Name, URL: url}, logger, prometheus.NewRegistry())
	if err != nil {
		return err
	}
	defer database.Close()
	return act(database, held)
}

// databaseFor finds a service's database for tools: the configured one, that on the configured server, or that of the up
// that runs on the data directory.
func databaseFor(ctx context.Context, s *settings, service string) (string, error) {
	if place := s.placements()[service]; place.DatabaseURL != "" {
		return place.DatabaseURL, nil
	}
	name := databaseName(service)
	if s.Process.DatabaseURL != "" {
		return pg.EnsureDatabase(ctx, s.Process.DatabaseURL, name)
	}
	running, err := embedded.Attach(filepath.Join(s.Process.DataDir, "postgres"))
	if err != nil {
		return "", fmt.Errorf("find the database: set BRAID_%s_DATABASE_URL, or name the data directory of a running up with --data-dir: %w",
			strings.ToUpper(service), err)
	}
	return running.URL(name), nil
}

package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"

	"github.com/spf13/cobra"

	"github.com/braidhq/braid/platform/pg"
)

func newMigrate() *cobra.Command {
	s := newSettings(false)
	var names []string
	var statusOnly bool
	command := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the databases of services up to date, or say what is pending",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			services, err := chooseServices(names)
			if err != nil {
				return err
			}
			if err := s.load(command.Flags(), need{databases: services}); err != nil {
				return err
			}
			return migrate(command.Context(), command.OutOrStdout(), s, services, statusOnly)
		},
	}
	command.Flags().StringSliceVar(&names, "services", nil, "services to migrate, comma-separated; all by default")
	command.Flags().BoolVar(&statusOnly, "status", false, "only say what was applied and what is pending")
	s.registry.BindFlags(command.Flags())
	return command
}

func migrate(ctx context.Context, out io.Writer, s *settings, services []string, statusOnly bool) error {
	logger, closeLog := newLogger(s)
	defer func() { _ = closeLog() }()
	places := s.placements()
	for _, bounded := range contexts {
		if !slices.Contains(services, bounded.name) {
			continue
		}
		place := places[bounded.name]
		database := pg.Config{Service: bounded.name, URL: place.DatabaseURL, MigrationURL: place.MigrationDatabaseURL}
		config := pg.MigrateConfig{Service: bounded.name, URL: database.OwnerURL(), Login: loginOf(place), Sets: bounded.migrations(), Logger: logger}
		if !statusOnly {
			if err := pg.Migrate(ctx, config); err != nil {
				return err
			}
		}
		if err := printStatus(ctx, out, config); err != nil {
			return err
		}
	}
	return nil
}

// loginOf names the login that serves, when another one owns the tables.
func loginOf(place *Placement) string {
	parsed, err := url.Parse(place.DatabaseURL)
	if err != nil || place.MigrationDatabaseURL == "" || parsed.User == nil {
		return ""
	}
	return parsed.User.Username()
}

func printStatus(ctx context.Context, out io.Writer, config pg.MigrateConfig) error {
	lines, err := pg.Status(ctx, config)
	if err != nil {
		return err
	}
	for _, line := range lines {
		state := "pending"
		if !line.AppliedTime.IsZero() {
			state = "applied"
		}
		if _, err := fmt.Fprintf(out, "%-14s %-14s %-40s %s\n", config.Service, line.Set, line.File, state); err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/braidhq/braid/platform/pg"
)

func newServe() *cobra.Command {
	s := newSettings(false)
	var names []string
	command := &cobra.Command{
		Use:   "serve",
		Short: "Run the services named, on the databases and the broker that the configuration names",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			orders := takeOrders(command.Context())
			defer orders.release()
			services, err := chooseServices(names)
			if err != nil {
				return err
			}
			if err := s.load(command.Flags(), needOfServe(services)); err != nil {
				return err
			}
			return orders.outcome(serve(orders, s, services))
		},
	}
	command.Flags().StringSliceVar(&names, "services", nil, "services to run, comma-separated; all by default")
	s.registry.BindFlags(command.Flags())
	return command
}

func serve(orders *orders, s *settings, services []string) error {
	p, err := newProcess(orders, s, services)
	if err != nil {
		return err
	}
	defer p.end()
	p.connection = s.Kafka.connection()
	for name, place := range s.placements() {
		if slices.Contains(services, name) {
			p.databases[name] = pg.Config{Service: name, URL: place.DatabaseURL, MigrationURL: place.MigrationDatabaseURL}
		}
	}
	return p.run(func(ctx context.Context) error {
		if err := p.requireMigrated(ctx); err != nil {
			return err
		}
		if err := p.assemble(ctx); err != nil {
			return err
		}
		return p.warnOfOwners(ctx)
	})
}

// requireMigrated refuses databases that are not up to date: serve never changes a schema, because several of it start
// at once and the old version is still running.
func (p *process) requireMigrated(ctx context.Context) error {
	var problems []error
	for _, bounded := range contexts {
		database, ok := p.databases[bounded.name]
		if !ok {
			continue
		}
		pending, err := pg.Pending(ctx, pg.MigrateConfig{
			Service: bounded.name, URL: database.OwnerURL(), Sets: bounded.migrations(), Logger: p.logger,
		})
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if len(pending) > 0 {
			problems = append(problems, fmt.Errorf("the database of %s has pending migrations: %s (run: braid migrate --services=%s)",
				bounded.name, strings.Join(pending, ", "), bounded.name))
		}
	}
	return errors.Join(problems...)
}

// warnOfOwners says which services are served by a login that owns their tables: whoever takes over such a session can
// undo row-level security.
func (p *process) warnOfOwners(ctx context.Context) error {
	for _, bounded := range contexts {
		database := p.open[bounded.name]
		if database == nil {
			continue
		}
		owns, err := database.LoginOwnsTables(ctx)
		if err != nil {
			return fmt.Errorf("the database of %s: %w", bounded.name, err)
		}
		if owns {
			p.logger.WarnContext(ctx, "one login owns the tables and serves from them: set the migration URL to separate them",
				slog.String("service", bounded.name))
		}
	}
	return nil
}

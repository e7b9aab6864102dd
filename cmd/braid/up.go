package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/pg/embedded"
	"github.com/braidhq/braid/platform/secret"
)

// stopTimeout bounds the end of the embedded PostgreSQL: a fast shutdown writes a checkpoint.
const stopTimeout = 30 * time.Second

func newUp() *cobra.Command {
	s := newSettings(true)
	command := &cobra.Command{
		Use:   "up",
		Short: "Run every service in this process, with its own PostgreSQL and broker unless told of others",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			orders := takeOrders(command.Context())
			defer orders.release()
			if err := s.load(command.Flags(), needOfUp()); err != nil {
				return err
			}
			return orders.outcome(up(orders, s))
		},
	}
	s.registry.BindFlags(command.Flags())
	return command
}

func up(orders *orders, s *settings) error {
	started := time.Now()
	p, err := newProcess(orders, s, keyHolders())
	if err != nil {
		return err
	}
	defer p.end()
	return p.run(func(ctx context.Context) error {
		release, err := holdDataDir(s.Process.DataDir)
		if err != nil {
			return err
		}
		p.onEnd(release)
		if err := p.startInfrastructure(ctx); err != nil {
			return err
		}
		if err := secret.Init(s.Process.KeyDir, keyHolders()); err != nil {
			return err
		}
		if err := p.migrateAll(ctx); err != nil {
			return err
		}
		// It names the ports of both.
		p.addPart(module.Part{Name: "banner", DependsOn: []string{"door.listen", "admin"}, Start: func(context.Context) error {
			p.printBanner(time.Since(started))
			return nil
		}})
		return p.assemble(ctx)
	})
}

// startInfrastructure brings up the database server and the broker, side by side.
func (p *process) startInfrastructure(ctx context.Context) error {
	starting, startCtx := errgroup.WithContext(ctx)
	var server *embedded.Server
	var broker *bus.Embedded
	starting.Go(func() (err error) {
		if p.settings.Process.DatabaseURL == "" {
			server, err = embedded.Start(startCtx, embedded.Config{
				DataDir: filepath.Join(p.settings.Process.DataDir, "postgres"), Logger: p.logger.With(slog.String("part", "postgres")),
			})
		}
		return err
	})
	starting.Go(func() (err error) {
		if len(p.settings.Kafka.Brokers) == 0 {
			broker, err = bus.StartEmbedded(bus.EmbeddedConfig{
				Directory: p.settings.Process.DataDir, Listen: p.settings.Kafka.Listen,
			}, p.logger.With(slog.String("part", "broker")))
		}
		if errors.Is(err, syscall.EADDRINUSE) {
			return explainListen(err, p.settings.Kafka.Listen, "kafka-listen")
		}
		return err
	})
	err := starting.Wait()
	p.adoptServer(server)
	p.adoptBroker(broker)
	if err != nil {
		return err
	}
	if broker != nil {
		// Consumers and readers make what they miss, but complain first; here nothing has to complain.
		topics := slices.Collect(maps.Values(p.settings.Kafka.topics()))
		if err := bus.EnsureTopics(ctx, p.connection, p.logger, topics...); err != nil {
			return err
		}
	}
	return p.placeDatabases(ctx, server)
}

// adoptServer makes the embedded PostgreSQL a part: when it dies it is started again. Until it answers, requests are
// refused as unavailable and everything else waits, as for any database that has gone away.
func (p *process) adoptServer(server *embedded.Server) {
	if server == nil {
		return
	}
	p.onEnd(func() {
		ctx, cancel := context.WithTimeout(p.orders.now, stopTimeout)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			p.logger.Warn("PostgreSQL did not stop cleanly", slog.Any("error", err))
		}
	})
	p.manager.Add(module.Part{Name: "postgres", Run: server.Keep, Ready: server.Ready})
	p.infrastructure = append(p.infrastructure, "postgres")
}

func (p *process) adoptBroker(broker *bus.Embedded) {
	if broker == nil {
		p.connection = p.settings.Kafka.connection()
		return
	}
	p.connection = broker.Connection()
	p.onEnd(broker.Close)
}

// databaseName is what the database of a service is called on the server of an up.
func databaseName(service string) string { return "braid_" + service }

// placeDatabases finds or makes one database per service.
func (p *process) placeDatabases(ctx context.Context, server *embedded.Server) error {
	placing, ctx := errgroup.WithContext(ctx)
	var mu sync.Mutex
	for _, name := range serviceNames() {
		placing.Go(func() (err error) {
			database, url := databaseName(name), ""
			if server != nil {
				err = server.EnsureDatabase(ctx, database)
				url = server.URL(database)
			} else {
				url, err = pg.EnsureDatabase(ctx, p.settings.Process.DatabaseURL, database)
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			p.databases[name] = pg.Config{Service: name, URL: url}
			return nil
		})
	}
	return placing.Wait()
}

// migrateAll brings every database of this process up to date, side by side.
func (p *process) migrateAll(ctx context.Context) error {
	migrating, ctx := errgroup.WithContext(ctx)
	for _, bounded := range contexts {
		database, ok := p.databases[bounded.name]
		if !ok {
			continue
		}
		migrating.Go(func() error {
			return pg.Migrate(ctx, pg.MigrateConfig{
				Service: bounded.name, URL: database.OwnerURL(), Sets: bounded.migrations(), Logger: p.logger,
			})
		})
	}
	return migrating.Wait()
}

// printBanner greets people on a terminal; in a log it is one more line.
func (p *process) printBanner(took time.Duration) {
	process := &p.settings.Process
	p.logger.Info("braid is up", slog.String("url", process.PublicURL), slog.String("admin", "http://"+p.admin.Addr().String()),
		slog.String("data_dir", process.DataDir), slog.Duration("took", took))
	if !onTerminal(os.Stdout) || p.settings.Log.Format == "json" {
		return
	}
	tail := "braid events tail"
	if process.DataDir != defaultDataDir() {
		tail += " --data-dir " + quoteForShell(process.DataDir)
	}
	fmt.Printf("\n  Braid %s is up in %s\n\n    API      %s\n    docs     %s/docs\n    mailbox  http://%s/mailbox\n    events   %s\n    data     %s\n\n  Ctrl-C stops it.\n\n",
		version, took.Round(10*time.Millisecond), process.PublicURL, process.PublicURL, p.admin.Addr(), tail, process.DataDir)
}

// plainText needs no quotes in a shell.
var plainText = regexp.MustCompile(`^[A-Za-z0-9_./~@%+=:,-]+$`)

func quoteForShell(text string) string {
	if plainText.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

package pgtest

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

// setupTimeout bounds everything that happens before the test's own work: the first test of a binary starts the server.
const setupTimeout = 2 * time.Minute

// Database is one test's database. It is dropped when the test ends.
type Database struct {
	// DB is opened as a service opens it: app and worker roles, row-level security on.
	DB *pg.DB
	// Registry holds DB's metrics.
	Registry *prometheus.Registry
	// Service and Name are the service's and the database's name; URL is the login DB was opened with, which owns
	// the tables as well.
	Service string
	Name    string
	URL     string
	// Owner runs statements as the login that owns the tables: it sees what the owner's policies show.
	Owner *pgxpool.Pool
	// Admin runs statements as the server's administrator, whom no policy binds: for looking at what is really there.
	Admin *pgxpool.Pool
}

// Open returns a fresh database of a service, migrated with sets in the order given; without sets it holds only the
// roles. Logs go to the test's output.
func Open(t testing.TB, service string, sets ...pg.MigrationSet) *Database {
	t.Helper()
	database := Create(t, service, sets...)
	database.Registry = prometheus.NewRegistry()
	database.DB = OpenDB(t, pg.Config{Service: service, URL: database.URL}, database.Registry)
	return database
}

// OpenDB opens a database with a configuration of the test's own and closes it when the test ends.
func OpenDB(t testing.TB, config pg.Config, registerer prometheus.Registerer) *pg.DB {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), setupTimeout)
	defer cancel()
	db, err := pg.Open(ctx, config, Logger(t), registerer)
	require.NoError(t, err)
	t.Cleanup(db.Close)
	return db
}

// Create is Open without opening DB: for tests of what opens it. DB and Registry are nil.
func Create(t testing.TB, service string, sets ...pg.MigrationSet) *Database {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), setupTimeout)
	defer cancel()
	current, err := sharedCluster(ctx)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	template, err := current.template(ctx, sets)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	name := databaseName(service)
	require.NoError(t, current.clone(ctx, name, template))
	database := &Database{Service: service, Name: name, URL: current.ownerURL(name)}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), setupTimeout)
		defer cancel()
		if err := current.drop(ctx, name); err != nil {
			t.Errorf("pgtest: drop the test's database: %v", err)
		}
	})
	database.Owner = newPool(t, database.URL)
	database.Admin = newPool(t, current.adminURL(name))
	return database
}

// newPool opens a small pool lazily: a test that never uses it pays nothing.
func newPool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	config.MaxConns = 2
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// Terminate ends every session of the database but the caller's, as a server that restarts does.
func (d *Database) Terminate(t testing.TB) {
	t.Helper()
	_, err := d.Admin.Exec(t.Context(), `select pg_terminate_backend(pid, 5000) from pg_stat_activity
		where datname = current_database() and pid <> pg_backend_pid()`)
	require.NoError(t, err)
}

// databaseName is unique and short enough for the roles' suffixes.
func databaseName(service string) string {
	plain := strings.Map(func(r rune) rune {
		if (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9') {
			return r
		}
		return '_'
	}, strings.ToLower(service))
	unique := strings.ReplaceAll(id.New().String(), "-", "")
	return fmt.Sprintf("%s%.12s_%s", prefix, plain, unique[len(unique)-16:])
}

// Logger returns a logger that writes to the test's output.
func Logger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

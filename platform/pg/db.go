package pg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// Querier runs statements. It has the shape sqlc generates for pgx/v5, so generated queries work with a transaction
// and with every kind of read. Rows must be closed, or read to their end.
type Querier interface {
	Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, arguments ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, arguments ...any) pgx.Row
}

// DB is one service's database. It is safe for use by several goroutines.
type DB struct {
	config  Config
	logger  *slog.Logger
	metrics *metrics
	app     *pgxpool.Pool
	worker  *pgxpool.Pool
	// shared is the app role's for shared transactions.
	shared  *pgxpool.Pool
	points  *coalescer
	sharing *sharing
	// full says that the server's disk was full when it was last to write, as CheckStorage knows.
	full atomic.Bool
}

// Open connects to the database as its app and its worker role and checks that both are what they must be. It returns
// ErrNotPrepared when migrations have not run, ErrTransactionPooled behind a transaction pooler, and an Unavailable
// error when the server cannot be reached. The caller closes what it opened.
func Open(ctx context.Context, config Config, logger *slog.Logger, registerer prometheus.Registerer) (*DB, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	config = config.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, 4*config.ConnectTimeout)
	defer cancel()
	db := &DB{config: config, logger: logger.With("service", config.Service), metrics: newMetrics(config.Service)}
	db.sharing = newSharing(db)
	if err := db.connect(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := db.metrics.register(registerer, db.app, db.worker, db.shared); err != nil {
		db.Close()
		return nil, fmt.Errorf("open database: %w", err)
	}
	return db, nil
}

func (db *DB) connect(ctx context.Context) (err error) {
	appConfig, err := db.config.poolConfig(AppRole, db.config.MaxConns, db.config.StatementTimeout, nil)
	if err != nil {
		return err
	}
	workerConfig, err := db.config.poolConfig(WorkerRole, db.config.WorkerMaxConns, db.config.WorkerStatementTimeout, nil)
	if err != nil {
		return err
	}
	pointConfig, err := db.config.poolConfig(AppRole, db.config.ReadConns, db.config.PointTimeout, nil)
	if err != nil {
		return err
	}
	sharedConfig, err := db.config.poolConfig(AppRole, sharedConns, db.config.StatementTimeout, sharedSettings)
	if err != nil {
		return err
	}
	for _, pool := range []*pgxpool.Config{appConfig, workerConfig, pointConfig, sharedConfig} {
		db.watchStorage(pool)
	}
	if db.shared, err = pgxpool.NewWithConfig(ctx, sharedConfig); err != nil {
		return err
	}
	if db.app, err = pgxpool.NewWithConfig(ctx, appConfig); err != nil {
		return err
	}
	if db.worker, err = pgxpool.NewWithConfig(ctx, workerConfig); err != nil {
		return err
	}
	if err := checkDirect(ctx, db.app); err != nil {
		return err
	}
	connection, err := db.worker.Acquire(ctx)
	if err != nil {
		return explainConnect(err)
	}
	connection.Release()
	db.points = startCoalescer(db.config, pointConfig, db.logger, db.metrics)
	return nil
}

// Close ends all connections after the statements in hand. It may be called more than once.
func (db *DB) Close() {
	if db.points != nil {
		db.points.stop()
	}
	if db.app != nil {
		db.app.Close()
	}
	if db.worker != nil {
		db.worker.Close()
	}
	if db.shared != nil {
		db.shared.Close()
	}
	db.metrics.unregister()
}

// Ping asks the server for a sign of life under the app role; it is for readiness. That all connections are at work for
// as long as ctx allows is no failure: a server that is busy must not be taken for one that is gone.
func (db *DB) Ping(ctx context.Context) error {
	ctx, cancel := db.withDeadline(ctx)
	defer cancel()
	err := db.app.Ping(ctx)
	if busy := db.app.Stat(); ctx.Err() != nil && busy.AcquiredConns() == busy.MaxConns() {
		return nil
	}
	return Translate(err)
}

// WorkerPool returns the worker role's pool, for machinery that needs sessions: job queues, advisory locks, LISTEN.
// It is for platform packages only; errors are the driver's.
func (db *DB) WorkerPool() *pgxpool.Pool { return db.worker }

// LoginOwnsTables reports whether the login that serves also owns tables, so that a broken-out session could undo
// row-level security. It is a warning for deployments that could separate the two.
func (db *DB) LoginOwnsTables(ctx context.Context) (bool, error) {
	const query = `select exists (select from pg_catalog.pg_tables where tableowner = session_user
		and schemaname not in ('pg_catalog', 'information_schema'))`
	var owns bool
	if err := db.WorkerRead().QueryRow(ctx, query).Scan(&owns); err != nil {
		return false, fmt.Errorf("look for tables the login owns: %w", err)
	}
	return owns, nil
}

// withDeadline gives a context that has no deadline the default one: no call waits for ever.
func (db *DB) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, bounded := ctx.Deadline(); bounded {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, db.config.CallTimeout)
}

// errClosed is what every use of a closed DB comes to.
var errClosed = errors.New("the database is closed")

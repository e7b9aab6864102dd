package pg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

const (
	// migrationLock is the advisory lock that makes two migrations of one database take turns. Any constant will do.
	migrationLock = 0x62726169_64736574
	lockPoll      = 50 * time.Millisecond
	// migrationDeadline bounds a migration whose caller gave no deadline.
	migrationDeadline = 30 * time.Minute
)

// ErrNewerDatabase says that the database was migrated by a newer program: this one does not know what it would do to it.
var ErrNewerDatabase = errors.New("the database was migrated by a newer version of braid")

// MigrateConfig says what to migrate.
type MigrateConfig struct {
	// Service is for messages and application_name.
	Service string
	// URL belongs to the login that owns the tables.
	URL string
	// Login is the user name of the login that serves, to be granted the roles; the one in URL when empty.
	Login string
	// Sets run in the order given: platform tables first, the service's own last.
	Sets   []MigrationSet
	Logger *slog.Logger
}

// Migrate creates the database's roles and runs every pending migration, each in a transaction of its own. When two
// run at once the second waits and finds nothing to do. ErrNewerDatabase comes before anything is changed.
func Migrate(ctx context.Context, config MigrateConfig) error {
	if err := config.migrate(ctx); err != nil {
		return fmt.Errorf("migrate database of %s: %w", config.Service, err)
	}
	return nil
}

func (c MigrateConfig) migrate(ctx context.Context) error {
	if err := checkSets(c.Sets); err != nil {
		return err
	}
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, migrationDeadline)
		defer cancel()
	}
	connection, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close(context.WithoutCancel(ctx)) }()
	var modern bool
	// 17 is the first whose MERGE answers with what it changed.
	err = connection.QueryRow(ctx, `select current_setting('server_version_num')::int >= 170000`).Scan(&modern)
	if err != nil || !modern {
		return cmp.Or(Translate(err), errors.New("PostgreSQL 17 or newer is needed"))
	}
	if err := lockMigrations(ctx, connection); err != nil {
		return err
	}
	for _, set := range c.Sets {
		if _, err := set.status(ctx, connection); err != nil {
			return err
		}
	}
	database := connection.Config().Database
	if err := EnsureRoles(ctx, connection, database, cmp.Or(c.Login, connection.Config().User)); err != nil {
		return err
	}
	app, worker := quote(AppRole(database)), quote(WorkerRole(database))
	if err := grantOnce(ctx, connection, `grant usage on schema public to `+app+`, `+worker,
		`select has_schema_privilege($1, 'public', 'usage') and has_schema_privilege($2, 'public', 'usage')`,
		AppRole(database), WorkerRole(database)); err != nil {
		return err
	}
	for _, set := range c.Sets {
		if err := c.migrateSet(ctx, connection, set); err != nil {
			return fmt.Errorf("set %s: %w", set.Name, err)
		}
	}
	return nil
}

// connect opens a session without a statement timeout: building an index may take its time. It waits little for a
// table that others use, so that a migration never queues all traffic behind itself.
func (c MigrateConfig) connect(ctx context.Context) (*pgx.Conn, error) {
	parsed, err := parseURL(c.URL)
	if err != nil {
		return nil, err
	}
	settings := parsed.ConnConfig.RuntimeParams
	settings["application_name"] = "braid-" + c.Service + "-migrate"
	settings["statement_timeout"] = "0"
	settings["lock_timeout"] = "10s"
	connection, err := pgx.ConnectConfig(ctx, parsed.ConnConfig)
	if err != nil {
		return nil, Translate(err)
	}
	return connection, nil
}

// lockMigrations polls: a session that waits inside the lock function would hold a snapshot, and an index that the
// lock's holder builds concurrently waits for snapshots. The lock ends with the session.
func lockMigrations(ctx context.Context, connection *pgx.Conn) error {
	ticker := time.NewTicker(lockPoll)
	defer ticker.Stop()
	for {
		var locked bool
		if err := connection.QueryRow(ctx, `select pg_try_advisory_lock($1)`, int64(migrationLock)).Scan(&locked); err != nil {
			return fmt.Errorf("wait for another migration: %w", Translate(err))
		}
		if locked {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for another migration: %w", Translate(ctx.Err()))
		case <-ticker.C:
		}
	}
}

func (c MigrateConfig) migrateSet(ctx context.Context, connection *pgx.Conn, set MigrationSet) error {
	_, files, err := set.files()
	if err != nil {
		return err
	}
	var owner string
	if err := connection.QueryRow(ctx, `select current_user::text`).Scan(&owner); err != nil {
		return Translate(err)
	}
	database := connection.Config().Database
	pool := stdlib.OpenDB(*connection.Config())
	defer func() { _ = pool.Close() }()
	provider, err := goose.NewProvider(goose.DialectPostgres, pool,
		substituteRoles(files, AppRole(database), WorkerRole(database), owner),
		goose.WithTableName(set.table()), goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return Translate(err)
	}
	for _, result := range results {
		c.Logger.InfoContext(ctx, "migrated", "service", c.Service, "set", set.Name,
			"file", result.Source.Path, "duration", result.Duration)
	}
	// Serving processes read the versions to refuse a database with pending migrations.
	app, worker := AppRole(database), WorkerRole(database)
	return grantOnce(ctx, connection,
		`grant select on `+quote(set.table())+` to `+quote(app)+`, `+quote(worker),
		`select has_table_privilege($1, $3, 'select') and has_table_privilege($2, $3, 'select')`, app, worker, quote(set.table()))
}

// grantOnce grants only what is not there, so that running again with nothing to do changes no catalog row.
func grantOnce(ctx context.Context, connection *pgx.Conn, grant, check string, arguments ...any) error {
	var granted bool
	if err := connection.QueryRow(ctx, check, arguments...).Scan(&granted); err != nil {
		return Translate(err)
	}
	if granted {
		return nil
	}
	_, err := connection.Exec(ctx, grant)
	return Translate(err)
}

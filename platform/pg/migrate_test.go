package pg_test

import (
	"context"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/pgtest"
)

func migrations(files map[string]string) fstest.MapFS {
	made := fstest.MapFS{}
	for name, content := range files {
		made[name] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + content)}
	}
	return made
}

func platformSet() pg.MigrationSet {
	return pg.MigrationSet{Name: "platform", Table: "goose_platform", FS: migrations(map[string]string{
		"migrations/0001_base.sql": `create table base (id integer primary key); grant select on base to {app};`,
	})}
}

func serviceSet(versions ...string) pg.MigrationSet {
	files := map[string]string{}
	for _, version := range versions {
		files[version+"_step.sql"] = `create table step_` + version + ` (base_id integer references base);
			select pg_sleep(0.2); -- long enough for another migrator to arrive in between`
	}
	return pg.MigrationSet{Name: "service", FS: migrations(files)}
}

func configure(database *pgtest.Database, sets ...pg.MigrationSet) pg.MigrateConfig {
	return pg.MigrateConfig{Service: "items", URL: database.URL, Sets: sets, Logger: slog.New(slog.DiscardHandler)}
}

func TestMigrationsRunOnceInOrder(t *testing.T) {
	t.Parallel()
	database := pgtest.Create(t, "items")
	config := configure(database, platformSet(), serviceSet("0001", "0002", "0003"))

	pending, err := pg.Pending(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, []string{"platform/0001_base.sql", "service/0001_step.sql", "service/0002_step.sql", "service/0003_step.sql"}, pending)
	require.Empty(t, tables(t, database.Admin), "looking changes nothing")

	// The version tables are there already: goose itself takes turns only in making them.
	require.NoError(t, pg.Migrate(t.Context(), configure(database, platformSet(), serviceSet("0001"))))
	var migrators sync.WaitGroup
	outcomes := make(chan error, 4)
	for range 4 {
		migrators.Go(func() { outcomes <- pg.Migrate(t.Context(), config) })
	}
	migrators.Wait()
	for range 4 {
		require.NoError(t, <-outcomes)
	}
	var rows int
	require.NoError(t, database.Admin.QueryRow(t.Context(), `select count(*) from goose_db_version where version_id > 0`).Scan(&rows))
	require.Equal(t, 3, rows)
	pending, err = pg.Pending(t.Context(), config)
	require.NoError(t, err)
	require.Empty(t, pending)
	statuses, err := pg.Status(t.Context(), config)
	require.NoError(t, err)
	require.Len(t, statuses, 4)
	for _, status := range statuses {
		require.False(t, status.AppliedTime.IsZero(), status.File)
	}

	config.Sets[1] = serviceSet("0001", "0002", "0003", "0004")
	pending, err = pg.Pending(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, []string{"service/0004_step.sql"}, pending)
}

func TestNewerDatabaseIsLeftAlone(t *testing.T) {
	t.Parallel()
	database := pgtest.Create(t, "items")
	require.NoError(t, pg.Migrate(t.Context(), configure(database, platformSet(), serviceSet("0001", "0002"))))
	before := tables(t, database.Admin)

	extra := pg.MigrationSet{Name: "extra", Table: "goose_extra", FS: migrations(map[string]string{"0001_extra.sql": `create table extra ();`})}
	older := configure(database, extra, platformSet(), serviceSet("0001"))
	require.ErrorIs(t, pg.Migrate(t.Context(), older), pg.ErrNewerDatabase)
	_, err := pg.Pending(t.Context(), older)
	require.ErrorIs(t, err, pg.ErrNewerDatabase)
	require.Equal(t, before, tables(t, database.Admin))
}

func TestFailedMigrationKeepsThoseBeforeIt(t *testing.T) {
	t.Parallel()
	database := pgtest.Create(t, "items")
	broken := serviceSet("0001")
	files, ok := broken.FS.(fstest.MapFS)
	require.True(t, ok)
	files["0002_broken.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\ncreate table half (); create table half ();")}
	config := configure(database, platformSet(), broken)
	require.Error(t, pg.Migrate(t.Context(), config))
	pending, err := pg.Pending(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, []string{"service/0002_broken.sql"}, pending)
	require.NotContains(t, tables(t, database.Admin), "half")
}

func TestSetsMustBeDistinct(t *testing.T) {
	t.Parallel()
	for _, sets := range [][]pg.MigrationSet{nil, {serviceSet("0001"), {Name: "other", FS: serviceSet("0001").FS}}, {{Name: "x"}}} {
		_, err := pg.Pending(t.Context(), pg.MigrateConfig{Service: "items", Sets: sets})
		require.ErrorContains(t, err, "set")
	}
}

// TestMigrationLoginNeedsOnlyCreateRole takes the way of a production database: a login that owns the database and may
// create roles, and another one that serves.
func TestMigrationLoginNeedsOnlyCreateRole(t *testing.T) {
	t.Parallel()
	database := pgtest.Create(t, "items")
	admin := database.Admin
	owner, server := database.Name+"_mig", database.Name+"_srv"
	for _, statement := range []string{
		`drop owned by ` + pg.AppRole(database.Name), `drop role ` + pg.AppRole(database.Name),
		`drop owned by ` + pg.WorkerRole(database.Name), `drop role ` + pg.WorkerRole(database.Name),
		`create role ` + owner + ` login createrole password 'a'`,
		`create role ` + server + ` login password 'a'`,
		`alter database ` + database.Name + ` owner to ` + owner,
	} {
		_, err := admin.Exec(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	t.Cleanup(func() { dropLogins(t, database, owner, server) })
	served := pg.Config{Service: "items", URL: withLogin(t, database.URL, server)}
	_, err := pg.Open(t.Context(), served, pgtest.Logger(t), newRegistry())
	require.ErrorIs(t, err, pg.ErrNotPrepared)

	config := configure(database, platformSet(), serviceSet("0001"))
	config.URL, config.Login = withLogin(t, database.URL, owner), server
	require.NoError(t, pg.Migrate(t.Context(), config))
	require.NoError(t, pg.Migrate(t.Context(), config))

	db := pgtest.OpenDB(t, served, newRegistry())
	var role string
	require.NoError(t, db.Read(pg.Scope{}).QueryRow(t.Context(), `select current_user::text from base right join (select 1) as one on true`).Scan(&role))
	require.Equal(t, pg.AppRole(database.Name), role)
	owns, err := db.LoginOwnsTables(t.Context())
	require.NoError(t, err)
	require.False(t, owns)

	config.URL = served.URL
	pending, err := pg.Pending(t.Context(), config)
	require.NoError(t, err, "the serving login may read what was migrated")
	require.Empty(t, pending)
}

// dropLogins leaves a shared server as it was. What the logins made goes with the database.
func dropLogins(t *testing.T, database *pgtest.Database, logins ...string) {
	ctx := context.WithoutCancel(t.Context())
	for _, login := range logins {
		for _, statement := range []string{`reassign owned by ` + login + ` to current_user`, `drop owned by ` + login, `drop role ` + login} {
			_, err := database.Admin.Exec(ctx, statement)
			require.NoError(t, err, statement)
		}
	}
}

func withLogin(t *testing.T, address, login string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	parsed.User = url.UserPassword(login, "a")
	return parsed.String()
}

func tables(t *testing.T, admin *pgxpool.Pool) string {
	t.Helper()
	var names []string
	require.NoError(t, admin.QueryRow(t.Context(), `select coalesce(array_agg(relname::text order by relname), '{}')
		from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'`).Scan(&names))
	return strings.Join(names, " ")
}

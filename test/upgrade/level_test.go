package upgrade_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/pg/embedded"
)

// lastOfPrevious are the last migrations of the previous level, by set; "" for a set that it did not have at all. A set that
// is not named has not changed since. Whoever adds the first migration of a level names its set here.
var lastOfPrevious = map[string]string{
	"identity": "0007_guesses.sql", "organization": "0008_policy.sql", "workflow": "0004_owner.sql",
	"notification": "0008_people.sql", "refusal": "0002_erasure.sql",
}

func databaseOf(service string) string { return "braid_" + service }

// startServer runs PostgreSQL on a data directory as up does.
func startServer(t *testing.T, directory string) (server *embedded.Server, stop func()) {
	t.Helper()
	server, err := embedded.Start(t.Context(), embedded.Config{DataDir: directory, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return server, func() { require.NoError(t, server.Stop(context.WithoutCancel(t.Context()))) }
}

// endSessions ends those of a database, however busy.
const endSessions = `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1`

// takeBack brings every database to the previous migration level: it is made anew by the migrations of that level, and
// given the rows that are there, in the columns that both levels have.
func takeBack(t *testing.T, server *embedded.Server) {
	t.Helper()
	pending := 0
	for _, service := range services() {
		name, present := databaseOf(service), "present_"+service
		admin := connect(t, server.SuperuserURL("postgres"))
		execute(t, admin, endSessions, name)
		execute(t, admin, `alter database `+name+` rename to `+present)
		execute(t, admin, `alter database `+present+` allow_connections true`)
		require.NoError(t, server.EnsureDatabase(t.Context(), name))
		config := pg.MigrateConfig{Service: service, URL: server.URL(name), Logger: slog.New(slog.DiscardHandler)}
		versions := []string{"goose_db_version"}
		for _, set := range migrations[service]() {
			versions = append(versions, set.Table)
			if last, changed := lastOfPrevious[set.Name]; !changed {
				config.Sets = append(config.Sets, set)
			} else if last != "" {
				config.Sets = append(config.Sets, previousLevel(t, set, last))
			}
		}
		require.NoError(t, pg.Migrate(t.Context(), config))
		config.Sets = migrations[service]()
		left, err := pg.Pending(t.Context(), config)
		require.NoError(t, err)
		pending += len(left)
		from, to := connect(t, server.SuperuserURL(present)), connect(t, server.SuperuserURL(name))
		copyRows(t, from, to, versions)
		require.NoError(t, from.Close(t.Context()))
		require.NoError(t, to.Close(t.Context()))
		execute(t, admin, `drop database `+present)
		require.NoError(t, admin.Close(t.Context()))
	}
	require.Positive(t, pending, "there is nothing to upgrade: the test shows nothing")
}

// previousLevel is a set up to the last migration of the previous level.
func previousLevel(t *testing.T, set pg.MigrationSet, last string) pg.MigrationSet {
	t.Helper()
	root := set.FS
	names, err := fs.Glob(root, "*.sql")
	require.NoError(t, err)
	if len(names) == 0 {
		root, err = fs.Sub(set.FS, "migrations")
		require.NoError(t, err)
		names, err = fs.Glob(root, "*.sql")
		require.NoError(t, err)
	}
	slices.Sort(names) // Their versions have leading zeros.
	end := slices.Index(names, last) + 1
	require.Positive(t, end, "%s has no migration %s", set.Name, last)
	require.Less(t, end, len(names), "%s has none after %s", set.Name, last)
	names = names[:end]
	files := fstest.MapFS{}
	for _, name := range names {
		content, err := fs.ReadFile(root, name)
		require.NoError(t, err)
		files[name] = &fstest.MapFile{Data: content}
	}
	set.FS = files
	return set
}

// columnsOf are the columns that hold data, by table.
const columnsOf = `select relation.oid::regclass::text, array_agg(quote_ident(attname) order by attnum) from pg_class relation
join pg_attribute on attrelid = relation.oid and attnum > 0 and not attisdropped and attgenerated = ''
where relkind in ('r', 'p') and not relispartition and relnamespace = 'public'::regnamespace group by 1`

// copyRows gives a database the rows of another as they are: nothing is checked or triggered, as in a backup.
func copyRows(t *testing.T, from, to *pgx.Conn, except []string) {
	t.Helper()
	execute(t, to, `set session_replication_role = replica`)
	there, wanted := readColumns(t, from), readColumns(t, to)
	copied := 0
	for table, columns := range wanted {
		columns = slices.DeleteFunc(columns, func(column string) bool { return !slices.Contains(there[table], column) })
		if slices.Contains(except, table) || len(columns) == 0 {
			continue
		}
		var seeded bool
		require.NoError(t, to.QueryRow(t.Context(), `select exists (select from `+table+`)`).Scan(&seeded), table)
		if seeded {
			execute(t, to, `delete from `+table)
		}
		var rows bytes.Buffer
		list := strings.Join(columns, ", ")
		_, err := from.PgConn().CopyTo(t.Context(), &rows, fmt.Sprintf(`copy (select %s from %s) to stdout`, list, table))
		require.NoError(t, err, table)
		tag, err := to.PgConn().CopyFrom(t.Context(), &rows, fmt.Sprintf(`copy %s (%s) from stdin`, table, list))
		require.NoError(t, err, "%s: what its migration has to do for old rows, copyRows has to undo", table)
		copied += int(tag.RowsAffected())
	}
	require.Positive(t, copied)
	rows, err := from.Query(t.Context(), `select quote_ident(sequencename), last_value from pg_sequences where last_value is not null and schemaname = 'public'`)
	require.NoError(t, err)
	last, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct {
		Name  string
		Value int64
	}])
	require.NoError(t, err)
	for _, sequence := range last {
		_, err := to.Exec(t.Context(), `select setval(to_regclass($1), $2)`, sequence.Name, sequence.Value)
		require.NoError(t, err, sequence.Name)
	}
}

func readColumns(t *testing.T, connection *pgx.Conn) map[string][]string {
	t.Helper()
	rows, err := connection.Query(t.Context(), columnsOf)
	require.NoError(t, err)
	tables := map[string][]string{}
	var table string
	var columns []string
	_, err = pgx.ForEachRow(rows, []any{&table, &columns}, func() error {
		tables[table], columns = columns, nil
		return nil
	})
	require.NoError(t, err)
	return tables
}

// pendingOf are the migrations that a service's database still waits for.
func pendingOf(t *testing.T, server *embedded.Server, service string) []string {
	t.Helper()
	pending, err := pg.Pending(t.Context(), pg.MigrateConfig{
		Service: service, URL: server.URL(databaseOf(service)), Sets: migrations[service](), Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return pending
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close(context.WithoutCancel(t.Context())) })
	return connection
}

func execute(t *testing.T, connection *pgx.Conn, sql string, arguments ...any) {
	t.Helper()
	_, err := connection.Exec(t.Context(), sql, arguments...)
	require.NoError(t, err, sql)
}

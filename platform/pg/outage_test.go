package pg_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/pgtest"
)

// TestOutage closes the database to new sessions and ends the old ones: everything must fail soon and clearly, and work
// again without help.
func TestOutage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.insert(t, b.mine, "before")
	admin, err := b.Admin.Acquire(t.Context())
	require.NoError(t, err)
	defer admin.Release()
	allow := func(value string) {
		_, err := admin.Exec(t.Context(), `alter database `+b.Name+` connection limit `+value)
		require.NoError(t, err)
	}
	uses := map[string]func() error{
		"point": func() error { return b.DB.Point(b.mine).QueryRow(t.Context(), `select 1`).Scan(new(int)) },
		"read":  func() error { return b.DB.Read(b.mine).QueryRow(t.Context(), `select 1`).Scan(new(int)) },
		"transaction": func() error {
			return b.DB.InTx(t.Context(), b.mine, func(ctx context.Context, tx *pg.Tx) error {
				_, err := tx.Exec(ctx, `select 1`)
				return err
			})
		},
		"worker": func() error { return b.DB.WorkerRead().QueryRow(t.Context(), `select 1`).Scan(new(int)) },
		"ping":   func() error { return b.DB.Ping(t.Context()) },
	}
	allow("0")
	_, err = admin.Exec(t.Context(), `select pg_terminate_backend(pid, 5000) from pg_stat_activity
		where datname = current_database() and pid <> pg_backend_pid()`)
	require.NoError(t, err)
	for name, use := range uses {
		started := time.Now()
		err := use()
		require.True(t, pg.IsUnavailable(err), "%s: %v", name, err)
		require.Less(t, time.Since(started), 5*time.Second, name)
	}
	allow("-1")
	for name, use := range uses {
		require.Eventually(t, func() bool { return use() == nil }, 10*time.Second, 10*time.Millisecond, name)
	}
}

// A readiness that fails under load would take away the process that is needed most.
func TestBusyDatabaseIsNotTakenForAGoneOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	database := pgtest.OpenDB(t, pg.Config{Service: "items", URL: b.URL, MaxConns: 1}, prometheus.NewRegistry())
	require.NoError(t, database.InTx(t.Context(), b.mine, func(ctx context.Context, tx *pg.Tx) error {
		if _, err := tx.Exec(ctx, `select 1`); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		return database.Ping(ctx)
	}))
}

func TestMetricsAreWellFormed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.insert(t, b.mine, "a")
	require.NoError(t, b.DB.Point(b.mine).QueryRow(t.Context(), `select 1`).Scan(new(int)))
	problems, err := testutil.GatherAndLint(b.Registry)
	require.NoError(t, err)
	require.Empty(t, problems)
	count, err := testutil.GatherAndCount(b.Registry)
	require.NoError(t, err)
	require.Greater(t, count, 10)
	_, err = pg.Open(t.Context(), pg.Config{Service: "items", URL: b.URL}, nopLogger(), b.Registry)
	require.ErrorContains(t, err, "open already")
	b.DB.Close()
	count, err = testutil.GatherAndCount(b.Registry)
	require.NoError(t, err)
	require.Zero(t, count, "a closed database leaves the registry")
}

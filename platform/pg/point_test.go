package pg_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/pgtest"
)

// TestNeighborsDoNotMix sends reads of several tenants, faulty ones among them, through one connection at once.
func TestNeighborsDoNotMix(t *testing.T) {
	t.Parallel()
	database := pgtest.Create(t, "items", items)
	b := &bundle{Database: database, mine: pg.Scope{OrganizationID: id.New()}, other: pg.Scope{OrganizationID: id.New()}}
	b.DB = pgtest.OpenDB(t, pg.Config{Service: "items", URL: database.URL, ReadConns: 1}, prometheus.NewRegistry())
	mine, other := b.insert(t, b.mine, "mine"), b.insert(t, b.other, "other")

	var readers sync.WaitGroup
	problems := make(chan error, 10_000)
	for reader := range 32 {
		readers.Go(func() {
			for round := range 60 {
				if err := b.readSomething(t.Context(), (reader+round)%5, mine, other); err != nil {
					problems <- err
				}
			}
		})
	}
	readers.Wait()
	close(problems)
	for problem := range problems {
		require.NoError(t, problem)
	}
}

const selectName = `select name from item where id = $1`

func (b *bundle) readSomething(ctx context.Context, what int, mine, other id.ID) error {
	var name string
	var err error
	switch what {
	case 0:
		if err = b.DB.Point(b.mine).QueryRow(ctx, selectName, mine).Scan(&name); err != nil || name != "mine" {
			return fmt.Errorf("own row: %q, %w", name, err)
		}
	case 1:
		if err = b.DB.Point(b.mine).QueryRow(ctx, selectName, other).Scan(&name); err != pg.ErrNoRows { //nolint:errorlint // exactly it
			return fmt.Errorf("another tenant's row: %q, %w", name, err)
		}
	case 2:
		err = b.DB.Point(b.mine).QueryRow(ctx, `select 1 / (length(name) - 4) from item where id = $1`, mine).Scan(new(int))
		if errs.KindOf(err) != errs.InvalidArgument {
			return fmt.Errorf("division by zero: %w", err)
		}
	case 3:
		if err = b.DB.Point(b.mine).QueryRow(ctx, selectName, "no id").Scan(&name); err == nil {
			return fmt.Errorf("an argument that does not fit: %q", name)
		}
	case 4:
		if err = b.DB.Point(b.other).QueryRow(ctx, selectName, other).Scan(&name); err != nil || name != "other" {
			return fmt.Errorf("own row of the other: %q, %w", name, err)
		}
	}
	return nil
}

func TestPointRowsAreWholeRows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, second := b.insert(t, b.mine, "a"), b.insert(t, b.mine, "b")
	type item struct {
		ID     id.ID
		UserID *id.ID
		Name   string
		Size   int32
	}
	for _, querier := range []pg.Querier{b.DB.Point(b.mine), b.DB.Read(b.mine)} {
		rows, err := querier.Query(t.Context(), `select id, user_id, name, size from item where id = any($1) order by name`,
			[]id.ID{first, second})
		require.NoError(t, err)
		found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[item])
		require.NoError(t, err)
		require.Equal(t, []item{{first, nil, "a", 0}, {second, nil, "b", 0}}, found)

		rows, err = querier.Query(t.Context(), `select name, size, null from item where id = $1`, first)
		require.NoError(t, err)
		require.True(t, rows.Next())
		values, err := rows.Values()
		require.NoError(t, err)
		require.Equal(t, []any{"a", int32(0), nil}, values)
		require.False(t, rows.Next())
		require.EqualValues(t, 1, rows.CommandTag().RowsAffected())

		_, err = querier.Exec(t.Context(), insertItem, b.mine.OrganizationID, id.New(), "written by a read")
		require.Error(t, err)
	}
	require.Equal(t, []string{"a", "b"}, b.names(t))
	_, err := b.DB.Point(b.mine).Query(t.Context(), `select repeat('x', 1000) from generate_series(1, 2000)`)
	require.ErrorContains(t, err, "too large")
}

// TestAbandonedReadIsNotCanceled holds the only connection with a slow read, which its caller leaves. The server must
// not notice, and the connection must go on.
func TestAbandonedReadIsNotCanceled(t *testing.T) {
	t.Parallel()
	database := pgtest.Create(t, "items", items)
	registry := prometheus.NewRegistry()
	db := pgtest.OpenDB(t, pg.Config{Service: "items", URL: database.URL, ReadConns: 1, PointQueue: 1}, registry)
	process := func() (pid int) {
		require.NoError(t, db.Point(pg.Scope{}).QueryRow(t.Context(), `select pg_backend_pid()`).Scan(&pid))
		return pid
	}
	before := process()

	lock, err := database.Admin.Acquire(t.Context())
	require.NoError(t, err)
	defer lock.Release()
	_, err = lock.Exec(t.Context(), `select pg_advisory_lock(7)`)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	slow := make(chan error, 1)
	go func() {
		slow <- db.Point(pg.Scope{}).QueryRow(ctx, `select pg_advisory_xact_lock_shared(7) is null`).Scan(nil)
	}()
	waiting := func() bool {
		var waits bool
		err := lock.QueryRow(t.Context(), `select exists (select from pg_stat_activity where pid = $1 and wait_event_type = 'Lock')`, before).Scan(&waits)
		return err == nil && waits
	}
	require.Eventually(t, waiting, 5*time.Second, 5*time.Millisecond)
	cancel()
	require.Equal(t, errs.Canceled, errs.KindOf(<-slow))

	behind := make(chan error, 1)
	go func() { behind <- db.Point(pg.Scope{}).QueryRow(t.Context(), `select 1`).Scan(new(int)) }()
	require.Eventually(t, func() bool {
		return testutil.ToFloat64(gauge(t, registry, "braid_pg_point_queue_requests")) == 1
	}, 5*time.Second, 5*time.Millisecond)
	err = db.Point(pg.Scope{}).QueryRow(t.Context(), `select 1`).Scan(new(int))
	require.True(t, pg.IsUnavailable(err), "the queue is full: %v", err)
	require.True(t, waiting(), "the abandoned statement still runs")

	_, err = lock.Exec(t.Context(), `select pg_advisory_unlock(7)`)
	require.NoError(t, err)
	require.NoError(t, <-behind)
	require.Equal(t, before, process(), "on the same connection")
}

// gauge returns a metric's current value as a collector of its own.
func gauge(t *testing.T, registry *prometheus.Registry, name string) prometheus.Gauge {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	value := prometheus.NewGauge(prometheus.GaugeOpts{Name: name})
	for _, family := range families {
		if family.GetName() == name {
			value.Set(family.GetMetric()[0].GetGauge().GetValue())
		}
	}
	return value
}

func TestSlowPointReadTimesOutAlone(t *testing.T) {
	t.Parallel()
	database := pgtest.Create(t, "items", items)
	db := pgtest.OpenDB(t, pg.Config{Service: "items", URL: database.URL, ReadConns: 1, PointTimeout: 50 * time.Millisecond},
		prometheus.NewRegistry())
	var readers sync.WaitGroup
	slow := make(chan error, 1)
	readers.Go(func() {
		slow <- db.Point(pg.Scope{}).QueryRow(t.Context(), `select pg_sleep(20)::text`).Scan(new(string))
	})
	quick := make(chan error, 8)
	for range 8 {
		readers.Go(func() { quick <- db.Point(pg.Scope{}).QueryRow(t.Context(), `select 1`).Scan(new(int)) })
	}
	readers.Wait()
	require.Equal(t, errs.DeadlineExceeded, errs.KindOf(<-slow))
	for range 8 {
		require.NoError(t, <-quick)
	}
}

// TestSlowPointReadHandsItsTurnOn holds one of two connections: what comes after goes by the other, and both take part
// again when it is free.
func TestSlowPointReadHandsItsTurnOn(t *testing.T) {
	t.Parallel()
	database := pgtest.Create(t, "items", items)
	db := pgtest.OpenDB(t, pg.Config{Service: "items", URL: database.URL, ReadConns: 2}, prometheus.NewRegistry())
	lock, err := database.Admin.Acquire(t.Context())
	require.NoError(t, err)
	defer lock.Release()
	for round := range 3 {
		_, err = lock.Exec(t.Context(), `select pg_advisory_lock(8)`)
		require.NoError(t, err)
		slow := make(chan error, 1)
		go func() {
			slow <- db.Point(pg.Scope{}).QueryRow(t.Context(), `select pg_advisory_xact_lock_shared(8) is null`).Scan(nil)
		}()
		awaitBlocked(t, lock)
		for range 20 {
			require.NoError(t, db.Point(pg.Scope{}).QueryRow(t.Context(), `select 1`).Scan(new(int)), "round %d", round)
		}
		require.Empty(t, slow)
		_, err = lock.Exec(t.Context(), `select pg_advisory_unlock(8)`)
		require.NoError(t, err)
		require.NoError(t, <-slow)
	}
}

// TestManyStatements goes past what a connection keeps prepared, with readers side by side.
func TestManyStatements(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var readers sync.WaitGroup
	problems := make(chan error, 2000)
	for reader := range 8 {
		readers.Go(func() {
			for number := range 200 {
				var got int
				err := b.DB.Point(b.mine).QueryRow(t.Context(), fmt.Sprintf(`select %d + $1::int`, reader*1000+number), 1).Scan(&got)
				if err != nil || got != reader*1000+number+1 {
					problems <- fmt.Errorf("got %d: %w", got, err)
				}
			}
		})
	}
	readers.Wait()
	close(problems)
	for problem := range problems {
		require.NoError(t, problem)
	}
}

func TestStatementIsPreparedAnewAfterAMigration(t *testing.T) {
	t.Parallel()
	b := setup(t)
	itemID := b.insert(t, b.mine, "a")
	read := func() (columns int) {
		rows, err := b.DB.Point(b.mine).Query(t.Context(), `select * from item where id = $1`, itemID)
		require.NoError(t, err)
		defer rows.Close()
		require.True(t, rows.Next())
		return len(rows.RawValues())
	}
	for range 10 {
		require.Equal(t, 5, read())
	}
	_, err := b.Owner.Exec(t.Context(), `alter table item add column more text`)
	require.NoError(t, err)
	for range 10 {
		require.Equal(t, 6, read())
	}
}

func TestClosedDatabaseRefusesAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.DB.Close()
	b.DB.Close()
	for _, querier := range []pg.Querier{b.DB.Point(b.mine), b.DB.Read(b.mine), b.DB.WorkerRead()} {
		require.True(t, pg.IsUnavailable(querier.QueryRow(t.Context(), `select 1`).Scan(new(int))))
	}
}

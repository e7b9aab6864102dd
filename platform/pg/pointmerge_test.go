package pg_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/pgtest"
)

// together holds the only connection back until all reads wait for it, so that they are sent in one flush.
func together(t *testing.T, database *pgtest.Database, reads []func(*pg.DB) error) []error {
	t.Helper()
	registry := prometheus.NewRegistry()
	db := pgtest.OpenDB(t, pg.Config{Service: "items", URL: database.URL, ReadConns: 1}, registry)
	lock, err := database.Admin.Acquire(t.Context())
	require.NoError(t, err)
	defer lock.Release()
	_, err = lock.Exec(t.Context(), `select pg_advisory_lock(7)`)
	require.NoError(t, err)
	failures := make([]error, len(reads))
	var readers sync.WaitGroup
	readers.Go(func() {
		_ = db.Point(pg.Scope{}).QueryRow(t.Context(), `select pg_advisory_xact_lock_shared(7) is null`).Scan(nil)
	})
	awaitBlocked(t, lock)
	for i, read := range reads {
		readers.Go(func() { failures[i] = read(db) })
	}
	require.Eventually(t, func() bool {
		return testutil.ToFloat64(gauge(t, registry, "braid_pg_point_queue_requests")) == float64(len(reads))
	}, 5*time.Second, 5*time.Millisecond)
	_, err = lock.Exec(t.Context(), `select pg_advisory_unlock(7)`)
	require.NoError(t, err)
	readers.Wait()
	return failures
}

// awaitBlocked waits until a session of the database waits for the advisory lock that another holds.
func awaitBlocked(t *testing.T, holder pg.Querier) {
	t.Helper()
	require.Eventually(t, func() bool {
		var waits bool
		err := holder.QueryRow(t.Context(), `select exists (select from pg_stat_activity where datname = current_database() and wait_event = 'advisory')`).Scan(&waits)
		return err == nil && waits
	}, 5*time.Second, 5*time.Millisecond)
}

// TestMergedReadsKeepTheirScopes sends every pair of a scope and a row in one statement: rows appear in their own
// organization's scope only, whatever the neighbors' are and whoever comes first.
func TestMergedReadsKeepTheirScopes(t *testing.T) {
	t.Parallel()
	database := pgtest.Create(t, "items", items)
	b := &bundle{Database: database}
	b.DB = pgtest.OpenDB(t, pg.Config{Service: "items", URL: database.URL}, prometheus.NewRegistry())
	scopes := []pg.Scope{{}}
	var rows []id.ID
	for range 4 {
		scope := pg.Scope{OrganizationID: id.New(), UserID: id.New()}
		scopes = append(scopes, scope, pg.Scope{UserID: scope.OrganizationID})
		rows = append(rows, b.insert(t, scope, scope.OrganizationID.String()))
	}
	var mutex sync.Mutex
	moments := map[string]bool{}
	var reads []func(*pg.DB) error
	// No two of these commute by chance: scopes change from one read to the next.
	for i, row := range rows[:3] {
		for _, scope := range scopes {
			owner := scopes[1+2*i]
			reads = append(reads, func(db *pg.DB) error {
				var name, user, moment string
				err := db.Point(scope).QueryRow(t.Context(), `select name, current_setting('app.user_id'), statement_timestamp()::text from item where id = $1`, row).
					Scan(&name, &user, &moment)
				if scope != owner {
					if err != pg.ErrNoRows { //nolint:errorlint // exactly it
						return fmt.Errorf("another organization's row: %q, %w", name, err)
					}
					return nil
				}
				mutex.Lock()
				defer mutex.Unlock()
				moments[moment] = true
				if err != nil || name != owner.OrganizationID.String() || user != owner.UserID.String() {
					return fmt.Errorf("own row: %q for %q, %w", name, user, err)
				}
				return nil
			})
		}
	}
	for _, err := range together(t, database, reads) {
		require.NoError(t, err)
	}
	require.Len(t, moments, 1, "they were one statement")
}

// TestMergedReadFailsAlone puts reads that fail, in the server and before it, among others of the same statement.
func TestMergedReadFailsAlone(t *testing.T) {
	t.Parallel()
	database := pgtest.Create(t, "items", items)
	const divide = `select 100 / $1::int, $2::uuid, $3::text`
	some := id.New()
	var reads []func(*pg.DB) error
	for i := range 12 {
		reads = append(reads, func(db *pg.DB) error {
			var quotient int32
			var same id.ID
			var text *string
			switch i % 4 {
			case 0:
				err := db.Point(pg.Scope{}).QueryRow(t.Context(), divide, 0, some, "x").Scan(&quotient, &same, &text)
				if errs.KindOf(err) != errs.InvalidArgument {
					return fmt.Errorf("division by zero: %w", err)
				}
			case 1:
				err := db.Point(pg.Scope{}).QueryRow(t.Context(), divide, 1, struct{}{}, "x").Scan(&quotient, &same, &text)
				if err == nil {
					return fmt.Errorf("an argument that does not fit: %d", quotient)
				}
			case 2:
				err := db.Point(pg.Scope{}).QueryRow(t.Context(), divide, 10+i, some, nil).Scan(&quotient, &same, &text)
				if err != nil || quotient != int32(100/(10+i)) || same != some || text != nil { //nolint:gosec // small
					return fmt.Errorf("with NULL: %d %s, %w", quotient, same, err)
				}
			case 3:
				err := db.Point(pg.Scope{}).QueryRow(t.Context(), divide, "7", some.String(), "ü").Scan(&quotient, &same, &text)
				if err != nil || quotient != 14 || same != some || *text != "ü" {
					return fmt.Errorf("as texts: %d %s, %w", quotient, same, err)
				}
			}
			return nil
		})
	}
	for _, err := range together(t, database, reads) {
		require.NoError(t, err)
	}
}

// TestMergedReadsKeepTheirOrderAndBounds merges reads of several rows each, one of them too large.
func TestMergedReadsKeepTheirOrderAndBounds(t *testing.T) {
	t.Parallel()
	database := pgtest.Create(t, "items", items)
	const series = `select repeat('x', $2::int), n from generate_series(1, $1::int) n order by n desc`
	var reads []func(*pg.DB) error
	for i := range 8 {
		reads = append(reads, func(db *pg.DB) error {
			width := 1
			if i == 3 {
				width = 1 << 20
			}
			rows, err := db.Point(pg.Scope{}).Query(t.Context(), series, i, width)
			if i == 3 {
				if err == nil {
					return fmt.Errorf("3 MiB were read")
				}
				return nil
			}
			if err != nil {
				return err
			}
			defer rows.Close()
			if count := rows.CommandTag().RowsAffected(); count != int64(i) {
				return fmt.Errorf("%d rows instead of %d", count, i)
			}
			for want := i; rows.Next(); want-- {
				var got int32
				if err := rows.Scan(nil, &got); err != nil || got != int32(want) { //nolint:gosec // small
					return fmt.Errorf("row %d where %d is due: %w", got, want, err)
				}
			}
			return rows.Err()
		})
	}
	for _, err := range together(t, database, reads) {
		require.NoError(t, err)
	}
}

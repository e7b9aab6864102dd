package pg_test

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/pgtest"
)

// BenchmarkReads compares the forms of reading one row under row-level security, with 32 callers per core.
func BenchmarkReads(b *testing.B) {
	database := pgtest.Create(b, "items", items)
	db, err := pg.Open(b.Context(), pg.Config{Service: "items", URL: database.URL}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.NoError(b, err)
	defer db.Close()
	scope := pg.Scope{OrganizationID: id.New()}
	keys := make([]id.ID, 1000)
	for i := range keys {
		keys[i] = id.New()
		_, err := database.Admin.Exec(b.Context(), insertItem, scope.OrganizationID.String(), keys[i].String(), fmt.Sprint(i))
		require.NoError(b, err)
	}
	for name, form := range map[string]func(pg.Scope) pg.Querier{"point": db.Point, "read": db.Read} {
		b.Run(name, func(b *testing.B) {
			var next atomic.Int64
			b.SetParallelism(16)
			b.ReportAllocs()
			b.RunParallel(func(loop *testing.PB) {
				for loop.Next() {
					key := keys[next.Add(1)%int64(len(keys))]
					var found id.ID
					var title string
					if err := form(scope).QueryRow(b.Context(), `select id, name from item where id = $1`, key).Scan(&found, &title); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

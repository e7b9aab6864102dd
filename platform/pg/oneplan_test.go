package pg_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/pgtest"
)

// A read with one plan asks for it for itself only: the next one on its connection plans as ever.
func TestReadOnePlanIsOfItsStatementOnly(t *testing.T) {
	t.Parallel()
	database := pgtest.Open(t, "oneplan")
	mode := func(querier pg.Querier) (mode string) {
		require.NoError(t, querier.QueryRow(t.Context(), `select current_setting('plan_cache_mode')`).Scan(&mode))
		return mode
	}
	for range 20 {
		require.Equal(t, "force_generic_plan", mode(database.DB.ReadOnePlan(pg.Scope{})))
		require.Equal(t, "auto", mode(database.DB.Read(pg.Scope{})))
	}
	_, err := database.DB.ReadOnePlan(pg.Scope{}).Exec(t.Context(), `create temporary table written (id int)`)
	require.Error(t, err, "it reads only")
}

package pgtest_test

import (
	"context"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/pgtest"
)

func TestWireNotesWhatIsExecutedAndAsWhom(t *testing.T) {
	t.Parallel()
	database := pgtest.Create(t, "notes", notes)
	wire, url := pgtest.Tap(t, database.URL)
	db := pgtest.OpenDB(t, pg.Config{Service: "notes", URL: url}, prometheus.NewRegistry())
	mine := pg.Scope{OrganizationID: id.New()}
	const insert, countAll = `insert into note values ($1, $2, 'hello')`, `select count(*) from note`
	write := func() {
		require.NoError(t, db.InTx(t.Context(), mine, func(ctx context.Context, tx *pg.Tx) error {
			_, err := tx.Exec(ctx, insert, mine.OrganizationID, id.New())
			return err
		}))
	}
	// The same again costs the same: what prepares a connection and a statement is not executing it.
	written := wire.During(write)
	require.Equal(t, written, wire.During(write))
	app := pgtest.Statement{Database: database.Name, Role: pg.AppRole(database.Name), SQL: insert}
	require.Contains(t, written, app)
	require.NotEqual(t, app, written[0], "the scope comes first")

	var rows int
	read := wire.During(func() {
		require.NoError(t, db.Point(mine).QueryRow(t.Context(), countAll).Scan(&rows))
	})
	require.Equal(t, 2, rows)
	app.SQL = countAll
	require.Contains(t, read, app)
	behind := wire.During(func() { require.NoError(t, db.WorkerRead().QueryRow(t.Context(), countAll).Scan(&rows)) })
	require.Contains(t, behind, pgtest.Statement{Database: database.Name, Role: pg.WorkerRole(database.Name), SQL: countAll})
	require.Empty(t, wire.During(func() {}))
}

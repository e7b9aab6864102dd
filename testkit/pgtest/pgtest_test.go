package pgtest_test

import (
	"context"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/pgtest"
)

var notes = pg.MigrationSet{Name: "notes", FS: fstest.MapFS{"0001_note.sql": &fstest.MapFile{Data: []byte(`-- +goose Up
create table note (organization_id uuid not null, id uuid primary key, body text not null);
alter table note enable row level security;
alter table note force row level security;
create policy app on note to {app} using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy worker on note to {worker} using (true);
create policy owner on note to {owner} using (true);
grant select, insert on note to {app};
grant select on note to {worker};
`)}}}

func TestClonesAreSeparateAndCarryPolicies(t *testing.T) {
	t.Parallel()
	first, second := pgtest.Open(t, "notes", notes), pgtest.Open(t, "notes", notes)
	mine := pg.Scope{OrganizationID: id.New()}
	require.NoError(t, first.DB.InTx(t.Context(), mine, func(ctx context.Context, tx *pg.Tx) error {
		_, err := tx.Exec(ctx, `insert into note values ($1, $2, 'hello')`, mine.OrganizationID, id.New())
		return err
	}))

	count := func(querier pg.Querier) (rows int) {
		require.NoError(t, querier.QueryRow(t.Context(), `select count(*) from note`).Scan(&rows))
		return rows
	}
	require.Equal(t, 1, count(first.DB.Read(mine)))
	require.Equal(t, 0, count(first.DB.Read(pg.Scope{OrganizationID: id.New()})))
	require.Equal(t, 1, count(first.DB.WorkerRead()))
	require.Equal(t, 1, count(first.Owner))
	require.Equal(t, 1, count(first.Admin))
	require.Equal(t, 0, count(second.Admin))
}

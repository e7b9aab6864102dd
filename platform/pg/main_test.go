package pg_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, pgtest.IgnoreServer()...) }

// items is a tenant table as services write theirs, with a person's rows and a trigger to fail at commit.
var items = pg.MigrationSet{Name: "items", FS: fstest.MapFS{"0001_item.sql": &fstest.MapFile{Data: []byte(`-- +goose Up
create table item (
	organization_id uuid not null,
	id uuid primary key,
	user_id uuid,
	name text not null constraint item_name_key unique,
	size integer not null default 0 constraint item_size_check check (size >= 0)
);
alter table item enable row level security;
alter table item force row level security;
create policy app on item to {app}
	using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy person on item to {app}
	using (user_id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy worker on item to {worker} using (true);
create policy owner on item to {owner} using (true);
grant select, insert, update, delete on item to {app};
grant select, update on item to {worker};
-- +goose StatementBegin
create function die() returns trigger language plpgsql security definer as $$
begin
	perform pg_terminate_backend(pg_backend_pid());
	perform pg_sleep(1);
	return null;
end $$;
-- +goose StatementEnd
create constraint trigger item_dies after insert on item deferrable initially deferred
	for each row when (new.name = 'dies at commit') execute function die();
`)}}}

type bundle struct {
	*pgtest.Database
	mine, other pg.Scope
}

func setup(t *testing.T) *bundle {
	t.Helper()
	return &bundle{
		Database: pgtest.Open(t, "items", items),
		mine:     pg.Scope{OrganizationID: id.New()},
		other:    pg.Scope{OrganizationID: id.New()},
	}
}

const insertItem = `insert into item (organization_id, id, name) values ($1, $2, $3)`

// insert adds an item to a scope's organization and returns its id.
func (b *bundle) insert(t *testing.T, scope pg.Scope, name string) id.ID {
	t.Helper()
	itemID := id.New()
	require.NoError(t, b.DB.InTx(t.Context(), scope, func(ctx context.Context, tx *pg.Tx) error {
		_, err := tx.Exec(ctx, insertItem, scope.OrganizationID, itemID, name)
		return err
	}))
	return itemID
}

// names returns all items' names as they really are.
func (b *bundle) names(t *testing.T) []string {
	t.Helper()
	var names []string
	require.NoError(t, b.Admin.QueryRow(t.Context(), `select coalesce(array_agg(name order by name), '{}') from item`).Scan(&names))
	return names
}

func nopLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }

package erasure_test

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/erasure"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/service"
	"github.com/braidhq/braid/testkit/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, pgtest.IgnoreServer()...) }

// invented are the tables of a service that nobody has heard of: one refers to another, one to itself, and one has no
// index for an organization. The worker may do nothing with them.
const invented = `
create table shelf (organization_id uuid not null, id uuid not null, parent_id uuid, primary key (organization_id, id),
    foreign key (organization_id, parent_id) references shelf (organization_id, id));
create table book (organization_id uuid not null, id uuid primary key, shelf_id uuid not null,
    foreign key (organization_id, shelf_id) references shelf (organization_id, id));
create index on book (organization_id, shelf_id);
create table glance (id bigint generated always as identity, organization_id uuid, filler text);
create table catalog_card (id uuid primary key);`

// library is that service.
type library struct {
	*pgtest.Database
	clock *clock.Manual
	// mine and theirs are two organizations with the same things.
	mine, theirs, attempt id.ID
}

func newLibrary(t *testing.T) *library {
	t.Helper()
	l := &library{
		Database: pgtest.Open(t, "library", outbox.Migrations(), inbox.Migrations(), idempotency.Migrations(), service.Migrations()),
		clock:    clock.NewManual(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)),
		mine:     id.New(), theirs: id.New(), attempt: id.New(),
	}
	l.exec(t, invented)
	for _, table := range []string{"shelf", "book", "glance"} {
		l.exec(t, fmt.Sprintf(`alter table %[1]s enable row level security; alter table %[1]s force row level security;
			create policy %[1]s_owner on %[1]s for all to current_user using (true) with check (true)`, table))
	}
	return l
}

// exec runs several statements as the owner of the tables.
func (l *library) exec(t *testing.T, statements string) {
	t.Helper()
	connection, err := l.Owner.Acquire(t.Context())
	require.NoError(t, err)
	defer connection.Release()
	_, err = connection.Conn().PgConn().Exec(t.Context(), statements).ReadAll()
	require.NoError(t, err)
}

// fill gives both organizations the same: a chain of shelves, each in the one before, books, and glances in turn.
func (l *library) fill(t *testing.T, rows int) {
	t.Helper()
	for _, organizationID := range []id.ID{l.mine, l.theirs} {
		l.exec(t, strings.NewReplacer("{id}", "'"+organizationID.String()+"'::uuid", "{rows}", strconv.Itoa(rows)).Replace(`
			insert into shelf select {id}, md5({id}::text || n)::uuid, case when n > 1 then md5({id}::text || n - 1)::uuid end
				from generate_series(1, 30) n on conflict do nothing;
			insert into book select {id}, gen_random_uuid(), md5({id}::text || 1 + n % 30)::uuid from generate_series(1, {rows}) n;
			insert into idempotency select gen_random_uuid(), {id}, 'm', 'k', '', '', now() from generate_series(1, 3);
			insert into refusal select {id}, gen_random_uuid(), 'p', 0, '{}', now() from generate_series(1, 3)`))
	}
	_, err := l.Admin.Exec(t.Context(), `insert into glance (organization_id, filler)
		select (array[$1::uuid, $2::uuid])[1 + n % 2], repeat('x', 2000) from generate_series(1, $3::int) n`, l.mine, l.theirs, 2*rows)
	require.NoError(t, err)
}

// counts are the rows of an organization in every table that has any, the outbox apart.
func (l *library) counts(t *testing.T, organizationID id.ID) map[string]int64 {
	t.Helper()
	rows, err := l.Admin.Query(t.Context(), `select table_name::text from information_schema.columns
where column_name = 'organization_id' and table_schema = 'public' and table_name <> 'outbox'`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	counts := map[string]int64{}
	for _, table := range tables {
		var count int64
		require.NoError(t, l.Admin.QueryRow(t.Context(), `select count(*) from `+table+` where organization_id = $1`, organizationID).Scan(&count))
		if count > 0 {
			counts[table] = count
		}
	}
	return counts
}

// process is one of the service's.
type process struct {
	*erasure.Eraser
	library *library
}

func (l *library) process(t *testing.T, own erasure.Own) *process {
	t.Helper()
	return &process{erasure.New(erasure.Config{
		Service: "library", DB: l.DB, Own: own, Clock: l.clock, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	}), l}
}

// hear applies what the organization service asks, as the inbox does.
func (p *process) hear(t *testing.T, asked proto.Message) {
	t.Helper()
	data, err := proto.Marshal(asked)
	require.NoError(t, err)
	event := bus.Event{
		ID: id.New(), Type: bus.TypeOf(asked), Schema: string(asked.ProtoReflect().Descriptor().FullName()), Data: data,
		OrganizationID: p.library.mine, CorrelationID: "deletion",
	}
	require.NoError(t, p.library.DB.InWorkerTx(t.Context(), func(ctx context.Context, tx *pg.Tx) error {
		return p.Handlers()[event.Type](ctx, tx, []bus.Event{event})
	}))
}

func (l *library) started() proto.Message {
	return &organizationv1.OrganizationDeletionStarted{OrganizationId: l.mine.String(), AttemptId: l.attempt.String()}
}

func (l *library) failed() proto.Message {
	return &organizationv1.OrganizationDeletionFailed{OrganizationId: l.mine.String(), AttemptId: l.attempt.String()}
}

func (l *library) erasing() proto.Message {
	return &organizationv1.OrganizationErasureStarted{OrganizationId: l.mine.String(), AttemptId: l.attempt.String()}
}

// answers takes what the service has told out of the outbox, as the relay does.
func (l *library) answers(t *testing.T) (told []proto.Message) {
	t.Helper()
	rows, err := l.Admin.Query(t.Context(), `with taken as (delete from outbox returning *) select type, payload, organization_id, key from taken order by position`)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var kind string
		var payload []byte
		var organizationID, key id.ID
		require.NoError(t, rows.Scan(&kind, &payload, &organizationID, &key))
		require.Equal(t, []id.ID{l.mine, l.mine}, []id.ID{organizationID, key})
		message := map[string]proto.Message{
			"platform.organization.prepared": &platformv1.OrganizationPrepared{}, "platform.organization.erased": &platformv1.OrganizationErased{},
			"platform.organization.erasure_delayed": &platformv1.OrganizationErasureDelayed{},
		}[kind]
		require.NotNil(t, message, kind)
		require.NoError(t, proto.Unmarshal(payload, message))
		told = append(told, message)
	}
	require.NoError(t, rows.Err())
	return told
}

func (p *process) next(t *testing.T) bool {
	t.Helper()
	found, err := p.Next(t.Context())
	require.NoError(t, err)
	return found
}

package erasure_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/erasure"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/person"
	"github.com/braidhq/braid/platform/pg"
)

// readers are who has what of the library.
const readers = `
create table loan (organization_id uuid not null, id uuid primary key, reader_id uuid not null, helper_ids uuid[] not null, keeper_id uuid, note text not null);
create table card (reader_id uuid primary key);
alter table loan enable row level security; alter table loan force row level security;
create policy loan_owner on loan for all to current_user using (true) with check (true);`

func newReaders(t *testing.T) (*library, *process) {
	t.Helper()
	l := newLibrary(t)
	l.exec(t, readers)
	return l, l.process(t, erasure.Own{People: erasure.OwnPeople{Columns: []person.Column{
		{Name: "loan.reader_id", Forget: person.Replace}, {Name: "loan.helper_ids", Forget: person.Replace},
		{Name: "loan.keeper_id", Forget: person.Clear}, {Name: "card.reader_id", Forget: person.Remove},
	}}})
}

// lend writes loans in both organizations that name the reader in every way, and a card.
func (l *library) lend(t *testing.T, reader, other id.ID, loans int) {
	t.Helper()
	for _, organizationID := range []id.ID{l.mine, l.theirs} {
		_, err := l.Admin.Exec(t.Context(), `insert into loan select $1::uuid, gen_random_uuid(), $2::uuid, array[$3, $2]::uuid[], $2, 'kept' from generate_series(1, $4::int)`,
			organizationID, reader, other, loans)
		require.NoError(t, err)
	}
	_, err := l.Admin.Exec(t.Context(), `insert into card values ($1) on conflict do nothing`, reader)
	require.NoError(t, err)
}

// replacements are, by organization, who stands in place of the readers other than one.
func (l *library) replacements(t *testing.T, organizationID, but id.ID) (found []id.ID) {
	t.Helper()
	require.NoError(t, l.Admin.QueryRow(t.Context(), `select coalesce(array_agg(distinct named), '{}') from (
		select reader_id as named from loan where organization_id = $1 union select unnest(helper_ids) from loan where organization_id = $1
		union select keeper_id from loan where organization_id = $1 and keeper_id is not null) as naming where named <> $2`, organizationID, but).Scan(&found))
	return found
}

func TestPersonIsReplacedClearedAndRemoved(t *testing.T) {
	t.Parallel()
	l, p := newReaders(t)
	ada, ben, attempt := id.New(), id.New(), id.New()
	l.lend(t, ada, ben, 3000)
	l.lend(t, ben, ben, 10)
	asked := &identityv1.UserErasureStarted{UserId: ada.String(), AttemptId: attempt.String()}
	require.ErrorContains(t, l.DB.InWorkerTx(t.Context(), func(ctx context.Context, tx *pg.Tx) error {
		_, err := tx.Exec(ctx, `select release_rows($1, 'loan', 'reader_id', 'remove', 0, 10, 10)`, ada)
		return err
	}), "not to be erased", "nobody is erased who was not said to be")

	p.hear(t, asked)
	p.hear(t, asked)
	for p.next(t) {
		l.drain(t)
		l.clock.Advance(time.Second)
	}
	mine, theirs := l.replacements(t, l.mine, ben), l.replacements(t, l.theirs, ben)
	require.Len(t, mine, 1, "the same nobody throughout an organization")
	require.Len(t, theirs, 1)
	require.NotEqual(t, mine, theirs, "another in each")
	require.NotContains(t, []id.ID{mine[0], theirs[0]}, ada)
	var loans, kept, cards int
	require.NoError(t, l.Admin.QueryRow(t.Context(), `select count(*), count(keeper_id), (select count(*) from card) from loan where note = 'kept'`).Scan(&loans, &kept, &cards))
	require.Equal(t, []int{6020, 20, 1}, []int{loans, kept, cards}, "what was written stays, and all of the other's")

	// What comes late is put in the same place at the second look; after that nobody can make the pseudonym again.
	l.lend(t, ada, ben, 1)
	l.clock.Advance(2 * time.Hour)
	require.True(t, p.next(t))
	require.Equal(t, mine, l.replacements(t, l.mine, ben))
	var seeds int
	require.NoError(t, l.Admin.QueryRow(t.Context(), `select count(seed) from erasure`).Scan(&seeds))
	require.Zero(t, seeds)
}

// drain takes what was told out of the outbox, as the relay does.
func (l *library) drain(t *testing.T) {
	t.Helper()
	_, err := l.Admin.Exec(t.Context(), `delete from outbox`)
	require.NoError(t, err)
}

func TestPersonIsRefusedByADatabaseThatIsUnfit(t *testing.T) {
	t.Parallel()
	l, p := newReaders(t)
	l.exec(t, `drop policy loan_owner on loan`)
	p.hear(t, &identityv1.UserDeletionStarted{UserId: id.New().String(), AttemptId: id.New().String()})
	var phase string
	require.NoError(t, l.Admin.QueryRow(t.Context(), `select phase from erasure`).Scan(&phase))
	require.Equal(t, "refused", phase)
}

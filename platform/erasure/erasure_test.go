package erasure_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/erasure"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

// A service that comes later is covered without a line: its tables are found, in an order that its foreign keys allow,
// with and without an index, and what it has confirmed is what was there.
func TestTablesOfAnUnknownServiceAreErased(t *testing.T) {
	t.Parallel()
	l := newLibrary(t)
	l.fill(t, 3000)
	before, theirs := l.counts(t, l.mine), l.counts(t, l.theirs)
	require.Equal(t, map[string]int64{"shelf": 30, "book": 3000, "glance": 3000, "idempotency": 3, "refusal": 3}, before)
	p := l.process(t, erasure.Own{})

	p.hear(t, l.started())
	require.False(t, p.next(t), "nothing is erased before there is no way back")
	require.Equal(t, before, l.counts(t, l.mine))
	prepared := l.answers(t)
	require.Len(t, prepared, 1)
	require.False(t, prepared[0].(*platformv1.OrganizationPrepared).GetRefused())

	p.hear(t, l.erasing())
	require.True(t, p.next(t))
	require.Empty(t, l.counts(t, l.mine))
	require.Equal(t, theirs, l.counts(t, l.theirs))
	erased := l.answers(t)
	require.Len(t, erased, 1)
	confirmed := map[string]int64{}
	for _, table := range erased[0].(*platformv1.OrganizationErased).GetTables() {
		confirmed[table.GetName()] = table.GetRows()
	}
	require.Equal(t, before, confirmed)

	// Asked again, it says so again; what came late is found at the second look, and only there.
	p.hear(t, l.erasing())
	require.True(t, proto.Equal(erased[0], l.answers(t)[0]))
	l.fill(t, 1)
	require.False(t, p.next(t))
	l.clock.Advance(2 * time.Hour)
	require.True(t, p.next(t))
	require.Empty(t, l.counts(t, l.mine))
	require.Empty(t, l.answers(t), "it was told before")
	require.False(t, p.next(t))
}

func TestQuestionsTwiceAndInAnyOrder(t *testing.T) {
	t.Parallel()
	l := newLibrary(t)
	l.fill(t, 10)
	p := l.process(t, erasure.Own{})
	p.hear(t, l.failed())
	p.hear(t, l.started())
	p.hear(t, l.started())
	require.Len(t, l.answers(t), 2)
	p.hear(t, l.failed())
	require.False(t, p.next(t))
	require.NotEmpty(t, l.counts(t, l.mine), "the organization stays")

	p.hear(t, l.erasing())
	p.hear(t, l.failed())
	p.hear(t, l.started())
	p.hear(t, l.erasing())
	require.Empty(t, l.answers(t), "there is nothing to say before it is done")
	require.True(t, p.next(t))
	require.Empty(t, l.counts(t, l.mine))
	require.Len(t, l.answers(t), 1)
	p.hear(t, l.started())
	p.hear(t, l.failed())
	require.Empty(t, l.answers(t))
}

func TestServiceRefuses(t *testing.T) {
	t.Parallel()
	l := newLibrary(t)
	reason := "Books are still lent."
	p := l.process(t, erasure.Own{Refuse: func(_ context.Context, _ *pg.Tx, organizationID id.ID) (string, error) {
		require.Equal(t, l.mine, organizationID)
		return reason, nil
	}})
	p.hear(t, l.started())
	answer := l.answers(t)[0].(*platformv1.OrganizationPrepared)
	require.True(t, answer.GetRefused())
	require.Equal(t, reason, answer.GetReason())
	p.hear(t, l.failed())
	reason = ""
	p.hear(t, l.started())
	require.False(t, l.answers(t)[0].(*platformv1.OrganizationPrepared).GetRefused())
}

// What could not be erased is found out while there is a way back.
func TestUnfitTablesAreARefusal(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"no policy for the owner": `drop policy book_owner on book`,
		"a circle": `alter table shelf add column book_id uuid; alter table book add unique (organization_id, id);
			alter table shelf add foreign key (organization_id, book_id) references book (organization_id, id)`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLibrary(t)
			l.exec(t, change)
			l.process(t, erasure.Own{}).hear(t, l.started())
			require.True(t, l.answers(t)[0].(*platformv1.OrganizationPrepared).GetRefused())
		})
	}
}

func TestFailuresAreToldAndTriedWithoutEnd(t *testing.T) {
	t.Parallel()
	l := newLibrary(t)
	l.fill(t, 10)
	// Something without an organization holds a book.
	l.exec(t, `create table loan (book_id uuid references book (id)); insert into loan select id from book where organization_id = '`+l.mine.String()+`' limit 1`)
	p := l.process(t, erasure.Own{})
	p.hear(t, l.erasing())
	for failures := range int32(3) {
		require.True(t, p.next(t))
		told := l.answers(t)
		require.Len(t, told, 1)
		require.Equal(t, failures+1, told[0].(*platformv1.OrganizationErasureDelayed).GetFailures())
		require.NotEmpty(t, told[0].(*platformv1.OrganizationErasureDelayed).GetReason())
		require.False(t, p.next(t), "it waits")
		l.clock.Advance(10 * time.Minute)
	}
	l.exec(t, `drop table loan`)
	require.True(t, p.next(t))
	require.Empty(t, l.counts(t, l.mine))
	require.IsType(t, &platformv1.OrganizationErased{}, l.answers(t)[0])
}

// A process that dies in the middle is followed by another, which confirms what both have erased.
func TestAnotherProcessGoesOn(t *testing.T) {
	t.Parallel()
	l := newLibrary(t)
	l.fill(t, 3000)
	before := l.counts(t, l.mine)
	// It comes to the shelves, which somebody else holds, and dies there.
	holding, err := l.Admin.Begin(t.Context())
	require.NoError(t, err)
	_, err = holding.Exec(t.Context(), `lock table shelf in share mode`)
	require.NoError(t, err)
	first := l.process(t, erasure.Own{})
	first.hear(t, l.erasing())
	dying, die := context.WithCancel(t.Context())
	dead := make(chan error, 1)
	go func() {
		_, err := first.Next(dying)
		dead <- err
	}()
	require.Eventually(t, func() bool { return len(l.counts(t, l.mine)) == 1 }, 30*time.Second, 5*time.Millisecond)
	die()
	require.NoError(t, <-dead)
	require.NoError(t, holding.Rollback(t.Context()))
	second := l.process(t, erasure.Own{})
	require.False(t, second.next(t), "for all it knows the first is at it")
	require.Equal(t, map[string]int64{"shelf": 30}, l.counts(t, l.mine), "it died in the middle")
	l.clock.Advance(time.Minute)
	require.True(t, second.next(t))
	require.Empty(t, l.counts(t, l.mine))
	var rows, wanted int64
	for _, table := range l.answers(t)[0].(*platformv1.OrganizationErased).GetTables() {
		rows += table.GetRows()
	}
	for _, count := range before {
		wanted += count
	}
	require.Equal(t, wanted, rows)
}

// Events that were written before leave before it is confirmed that nothing is left.
func TestConfirmationWaitsForTheLastEvent(t *testing.T) {
	t.Parallel()
	l := newLibrary(t)
	p := l.process(t, erasure.Own{})
	p.hear(t, l.started())
	p.hear(t, l.erasing())
	require.True(t, p.next(t))
	require.False(t, p.next(t))
	require.Len(t, l.answers(t), 1, "only what waits to leave")
	l.clock.Advance(time.Second)
	require.True(t, p.next(t))
	require.IsType(t, &platformv1.OrganizationErased{}, l.answers(t)[0])
}

func TestWhatIsPermanentStaysAndSweepsRun(t *testing.T) {
	t.Parallel()
	l := newLibrary(t)
	l.fill(t, 10)
	l.exec(t, `insert into catalog_card select gen_random_uuid() from generate_series(1, 5)`)
	var places []string
	p := l.process(t, erasure.Own{Keep: []string{"glance"}, Sweeps: []erasure.Sweep{{
		Name: "catalog_card", Erase: func(ctx context.Context, tx *pg.Tx, organizationID id.ID, after string, atMost int) (string, int64, error) {
			places = append(places, after)
			if len(places) == 1 {
				return "half", 2, nil
			}
			return "", 0, nil
		},
	}}})
	p.hear(t, l.erasing())
	require.True(t, p.next(t))
	require.Equal(t, map[string]int64{"glance": 10}, l.counts(t, l.mine))
	require.Equal(t, []string{"", "half", ""}, places, "a pass that finds nothing is the last")
	erased := l.answers(t)[0].(*platformv1.OrganizationErased)
	require.Contains(t, erased.String(), "catalog_card")
}

// The right to delete is bound to an organization that there is no way back for.
func TestWorkerErasesNothingElse(t *testing.T) {
	t.Parallel()
	l := newLibrary(t)
	l.fill(t, 10)
	p := l.process(t, erasure.Own{})
	p.hear(t, l.started())
	for _, organizationID := range []id.ID{l.mine, l.theirs} {
		err := l.DB.InWorkerTx(t.Context(), func(ctx context.Context, tx *pg.Tx) error {
			_, err := tx.Exec(ctx, `select erase_rows($1, 'book', null, null, 10)`, organizationID)
			return err
		})
		require.ErrorContains(t, err, "is not to be erased")
	}
	err := l.DB.InTx(t.Context(), pg.Scope{OrganizationID: l.mine}, func(ctx context.Context, tx *pg.Tx) error {
		_, err := tx.Exec(ctx, `select erase_rows($1, 'book', null, null, 10)`, l.mine)
		return err
	})
	require.ErrorContains(t, err, "permission denied", "a request erases nothing at all")
}

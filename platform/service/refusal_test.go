package service

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

func TestFirstRefusalIsRecordedAtOnceAndMoreWithTheirCount(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.process(t)
	stop := p.start(t)
	began := time.Now()
	p.refuse(t, "workflow.task.create")
	require.Eventually(t, func() bool { return len(b.counts(t)) == 1 }, 10*time.Second, 10*time.Millisecond)
	require.Less(t, time.Since(began), refusalSweep, "it does not wait for the sweep")
	stop()
	require.Equal(t, []event{{b.work.Actor.UserID.String(), "workflow.task.create", b.clock.Now(), 1}}, utc(b.events(t)))

	for range 5 {
		p.refuse(t, "workflow.task.create")
	}
	p.round(t)
	b.clock.Advance(refusalInterval - time.Microsecond)
	p.round(t)
	require.Equal(t, []int{1}, b.counts(t), "at most one a minute")
	b.clock.Advance(time.Microsecond)
	p.round(t)
	require.Equal(t, []int{1, 5}, b.counts(t))
	p.round(t)
	require.Equal(t, "1", b.rows(t), "the minute is held")
	b.clock.Advance(refusalInterval)
	p.round(t)
	require.Equal(t, []int{1, 5}, b.counts(t), "nothing was refused since")
	require.Equal(t, "0", b.rows(t), "what is quiet is forgotten")
	require.Empty(t, p.counted)
}

// What is published and what is kept says who was refused what, and holds no credential.
func TestRefusalTellsWhoAndHoldsNoToken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.process(t)
	p.refuse(t, "workflow.task.create")
	p.round(t)
	p.refuse(t, "workflow.task.create")
	p.round(t)
	row, published := b.text(t, `select refusal::text from refusal`), b.text(t, `select outbox::text || encode(payload, 'escape') from outbox`)
	for _, wanted := range []string{
		b.work.OrganizationID.String(), b.work.Actor.UserID.String(), b.work.Actor.SessionID.String(), b.work.CorrelationID,
		b.work.Procedure, "workflow.task.create", "COMMENT_NOT_YOURS",
	} {
		require.Contains(t, row, wanted)
		require.Contains(t, published, wanted)
	}
	require.NotContains(t, row, secretToken)
	require.NotContains(t, published, secretToken)
}

func TestMembersOrganizationsAndPermissionsAreCountedApart(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.process(t)
	p.refuse(t, "workflow.task.create")
	p.refuse(t, "workflow.task.delete")
	b.work.Actor.UserID = id.New()
	p.refuse(t, "workflow.task.create")
	b.work.OrganizationID = id.New()
	p.refuse(t, "workflow.task.create")
	p.round(t)
	require.Equal(t, []int{1, 1, 1, 1}, b.counts(t))
}

// However many processes refuse, and whenever each of them writes, a minute has one event, and all are counted.
func TestProcessesShareTheMinute(t *testing.T) {
	t.Parallel()
	const (
		minutes, workers, rounds, each = 4, 3, 8, 2000
		permissions                    = 3
	)
	b := newBench(t)
	processes := []*process{b.process(t), b.process(t)}
	for minute := range minutes {
		var group sync.WaitGroup
		for _, p := range processes {
			for range workers {
				group.Go(func() {
					for i := range each * permissions {
						p.refuse(t, fmt.Sprint(i%permissions))
					}
				})
			}
			group.Go(func() {
				for range rounds {
					if err := p.write(t.Context(), refusalTimeout); err != nil {
						t.Errorf("write: %v", err)
					}
				}
			})
		}
		group.Wait()
		for _, p := range processes {
			p.round(t)
		}
		require.Len(t, b.events(t), (minute+1)*permissions, "one event for each permission in minute %d", minute)
		b.clock.Advance(refusalInterval)
	}
	processes[1].round(t)
	sums, last := map[string]int{}, map[string]time.Time{}
	for _, one := range b.events(t) {
		sums[one.Permission] += one.Count
		require.GreaterOrEqual(t, one.At.Sub(last[one.Permission]), refusalInterval)
		last[one.Permission] = one.At
	}
	const all = minutes * workers * each * 2
	require.Equal(t, map[string]int{"0": all, "1": all, "2": all}, sums)
}

// What another process is just taking is passed over, not waited for and not told twice.
func TestRefusalThatAnotherTakesIsPassedOver(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.process(t)
	for range 2 {
		p.refuse(t, "workflow.task.create")
		p.round(t)
	}
	b.clock.Advance(refusalInterval)
	other, err := b.Admin.Begin(t.Context())
	require.NoError(t, err)
	_, err = other.Exec(t.Context(), `select from refusal for update`)
	require.NoError(t, err)
	err = p.write(t.Context(), 2*time.Second)
	require.NoError(t, other.Rollback(t.Context()))
	require.NoError(t, err)
	require.Equal(t, []int{1}, b.counts(t))
	p.round(t)
	require.Equal(t, []int{1, 1}, b.counts(t))
}

// ticking is a clock that goes on with each look at it.
type ticking struct{ *clock.Manual }

// Now implements clock.Clock.
func (t ticking) Now() time.Time {
	t.Advance(time.Millisecond)
	return t.Manual.Now()
}

// The minute begins at the time that the event shows, or two records could be closer than that.
func TestMinuteBeginsAtTheEventsTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.process(t)
	p.clock = ticking{b.clock}
	p.refuse(t, "workflow.task.create")
	p.round(t)
	require.Equal(t, refusalInterval.Seconds(), b.seconds(t, `select extract(epoch from next_event_at - occurred_at)::float8 from refusal, outbox`))
}

// A clean stop writes what was counted; whoever comes next holds the minute and tells of it.
func TestStopWritesWhatWasCounted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	old := b.process(t)
	stop := old.start(t)
	old.refuse(t, "workflow.task.create")
	require.Eventually(t, func() bool { return len(b.counts(t)) == 1 }, 10*time.Second, 10*time.Millisecond)
	for range 5 {
		old.refuse(t, "workflow.task.create")
	}
	for i := range 2 * refusalBatch {
		old.refuse(t, fmt.Sprint("first of ", i))
	}
	stop()
	require.Empty(t, old.counted)
	require.Len(t, b.counts(t), 1+2*refusalBatch, "what is due is told at the stop, too")

	next := b.process(t)
	next.refuse(t, "workflow.task.create")
	next.round(t)
	require.Len(t, b.counts(t), 1+2*refusalBatch, "the next process holds the minute")
	b.clock.Advance(refusalInterval)
	next.round(t)
	require.Equal(t, 6, b.counts(t)[1+2*refusalBatch])
	require.Empty(t, old.logged.String())
}

// Without the database a stop takes no longer than it may, and says what is lost.
func TestStopWithoutDatabaseIsBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.process(t)
	p.db.Close()
	for range 3 {
		p.refuse(t, "workflow.task.create")
	}
	began := time.Now()
	p.start(t)()
	require.Less(t, time.Since(began), refusalLastTimeout+5*time.Second)
	require.Contains(t, p.logged.String(), "refusals=3")
}

// A storm costs a few transactions a second, not one for each refusal.
func TestStormOfRefusalsIsBounded(t *testing.T) {
	t.Parallel()
	const refusing, each = 4, 50_000
	b := newBench(t)
	p := b.process(t)
	began, before := time.Now(), p.transactions(t)
	stop := p.start(t)
	var group sync.WaitGroup
	for worker := range refusing {
		group.Go(func() {
			for range each {
				p.refuse(t, fmt.Sprint(worker))
			}
		})
	}
	group.Wait()
	stop()
	require.LessOrEqual(t, p.transactions(t)-before, int(time.Since(began)/refusalPause)+2)
	b.clock.Advance(refusalInterval)
	p.round(t)
	total := 0
	for _, count := range b.counts(t) {
		total += count
	}
	require.Equal(t, refusing*each, total)
	require.LessOrEqual(t, len(b.counts(t)), 2*refusing)
}

// An attacker must not fill our memory: what finds no room is only counted.
func TestRefusalsInMemoryAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.process(t)
	for i := range maxRefusals + 10 {
		p.refuse(t, fmt.Sprint(i))
	}
	require.Len(t, p.counted, maxRefusals)
	require.InDelta(t, 10, testutil.ToFloat64(p.dropped), 0)
	p.refuse(t, "0")
	require.Len(t, p.counted, maxRefusals)
	before := p.transactions(t)
	p.round(t)
	require.Empty(t, p.counted, "a round has room for all of them")
	require.Equal(t, maxRefusals/refusalBatch, p.transactions(t)-before)
	require.Equal(t, fmt.Sprint(maxRefusals), b.text(t, `select count(*)::text from outbox`))
}

// What could not be written is not lost: it is tried again with its count.
func TestRefusalIsKeptWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.process(t)
	p.refuse(t, "workflow.task.create")
	p.refuse(t, "workflow.task.create")
	_, err := b.Owner.Exec(t.Context(), `alter table outbox rename to away`)
	require.NoError(t, err)
	require.Error(t, p.write(t.Context(), refusalTimeout))
	require.Equal(t, "0", b.rows(t), "count and event are one transaction")
	p.refuse(t, "workflow.task.create")
	_, err = b.Owner.Exec(t.Context(), `alter table away rename to outbox`)
	require.NoError(t, err)
	p.round(t)
	require.Equal(t, []int{3}, b.counts(t))
}

// Requests have no business with the table: the part alone writes it, as the worker.
func TestRequestsCannotTouchRefusals(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.process(t)
	for _, statement := range []string{
		`select count(*) from refusal`, `delete from refusal`, `update refusal set count = 0`,
		`insert into refusal values (gen_random_uuid(), gen_random_uuid(), 'x', 1, '{}', now())`,
	} {
		err := p.db.InTx(t.Context(), pg.Scope{OrganizationID: id.New(), UserID: id.New()}, func(ctx context.Context, tx *pg.Tx) error {
			_, err := tx.Exec(ctx, statement)
			return err
		})
		require.ErrorContains(t, err, "42501", statement)
	}
}

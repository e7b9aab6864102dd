package pg_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

// patience is how long a test waits for what must happen; no clock of a shared transaction runs out before.
const patience = 20 * time.Second

type work func(ctx context.Context, tx *pg.Tx) error

// sharers are members of one shared transaction, one for each work; those of b.together have b.mine for their scope.
type sharers struct {
	b       *bundle
	members []*sharing
}

type sharing struct {
	ctx   context.Context
	scope pg.Scope
	work  work
	runs  atomic.Int32
	hooks atomic.Int32
	err   error
}

func (b *bundle) together(t *testing.T, works ...work) *sharers {
	t.Helper()
	pg.SetSharing(b.DB, patience, patience)
	made := &sharers{b: b}
	for _, work := range works {
		made.members = append(made.members, &sharing{ctx: t.Context(), scope: b.mine, work: work})
	}
	return made
}

// run has all members gather behind one who has the turn, and returns when they are done.
func (s *sharers) run(t *testing.T) {
	t.Helper()
	var running sync.WaitGroup
	release := s.b.holdTurn(t, &running)
	for i, member := range s.members {
		running.Go(func() { member.err = s.b.share(member) })
		s.b.awaitQueue(t, i+1)
	}
	release()
	running.Wait()
}

// holdTurn keeps the turn until release is called.
func (b *bundle) holdTurn(t *testing.T, running *sync.WaitGroup) (release func()) {
	t.Helper()
	held, released := make(chan struct{}), make(chan struct{})
	running.Go(func() {
		err := b.DB.InSharedTx(t.Context(), b.mine, id.New(), func(context.Context, *pg.Tx) error {
			close(held)
			<-released
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-held
	return func() { close(released) }
}

func (b *bundle) share(member *sharing) error {
	return b.DB.InSharedTx(member.ctx, member.scope, id.New(), func(ctx context.Context, tx *pg.Tx) error {
		member.runs.Add(1)
		tx.AfterCommit(func() { member.hooks.Add(1) })
		return member.work(ctx, tx)
	})
}

func (b *bundle) awaitQueue(t *testing.T, length int) {
	t.Helper()
	require.Eventually(t, func() bool { return b.metric(t, "braid_pg_share_queue_requests", "") == float64(length) }, patience, time.Millisecond)
}

// metric returns the value of a gauge or a counter with an outcome.
func (b *bundle) metric(t *testing.T, name, outcome string) (value float64) {
	t.Helper()
	families, err := b.Registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, sample := range family.GetMetric() {
			matches := outcome == ""
			for _, label := range sample.GetLabel() {
				matches = matches || label.GetName() == "outcome" && label.GetValue() == outcome
			}
			if matches {
				value += sample.GetGauge().GetValue() + sample.GetCounter().GetValue()
			}
		}
	}
	return value
}

// insertItemNamed returns work that adds an item and notes the transaction it was in.
func (b *bundle) insertItemNamed(name string, transactions *sync.Map) work {
	return func(ctx context.Context, tx *pg.Tx) error {
		var transaction string
		if err := tx.QueryRow(ctx, `select pg_current_xact_id()::text`).Scan(&transaction); err != nil {
			return err
		}
		transactions.Store(name, transaction)
		tx.Queue(insertItem, b.mine.OrganizationID, id.New(), name)
		return nil
	}
}

func TestThoseWhoWaitShareOneCommit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var transactions sync.Map
	var works []work
	var names []string
	for i := range 8 {
		names = append(names, fmt.Sprint("item ", i))
		works = append(works, b.insertItemNamed(names[i], &transactions))
	}
	// They differ in how many statements they wait for, and one waits for none.
	works[1] = func(ctx context.Context, tx *pg.Tx) error {
		_, err := tx.Exec(ctx, `update item set size = 1 where false`)
		return errors.Join(err, b.insertItemNamed(names[1], &transactions)(ctx, tx))
	}
	works = append(works, func(context.Context, *pg.Tx) error { return nil })
	all := b.together(t, works...)
	all.run(t)
	for _, member := range all.members {
		require.NoError(t, member.err)
		require.EqualValues(t, 1, member.runs.Load())
		require.EqualValues(t, 1, member.hooks.Load())
	}
	require.Equal(t, names, b.names(t))
	first, _ := transactions.Load(names[0])
	for _, name := range names {
		transaction, _ := transactions.Load(name)
		require.Equal(t, first, transaction, name)
	}
	require.EqualValues(t, 9, b.metric(t, "braid_pg_sharers_total", "committed"))
	require.EqualValues(t, 1, b.metric(t, "braid_pg_sharers_total", "alone"), "whoever had the turn before")
}

func TestOneKeyIsNeverTwiceInATransaction(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pg.SetSharing(b.DB, patience, patience)
	counter, key := b.insert(t, b.mine, "counter"), id.New()
	var running sync.WaitGroup
	release := b.holdTurn(t, &running)
	var mu sync.Mutex
	var seen []int
	for i := range 12 {
		running.Go(func() {
			err := b.DB.InSharedTx(t.Context(), b.mine, key, func(ctx context.Context, tx *pg.Tx) error {
				// Read first, write later: only a transaction of its own makes this right.
				var size int
				if err := tx.QueryRow(ctx, `select size from item where id = $1 for update`, counter).Scan(&size); err != nil {
					return err
				}
				tx.Queue(`update item set size = $2 where id = $1`, counter, size+1)
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, size)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		b.awaitQueue(t, i+1)
	}
	release()
	running.Wait()
	require.Len(t, seen, 12)
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(seen))), 12)
}

func TestMembersKeepTheirScopes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.insert(t, b.other, "theirs of old")
	visible := func(ctx context.Context, tx *pg.Tx) (names []string, err error) {
		err = tx.QueryRow(ctx, `select coalesce(array_agg(name order by name), '{}') from item`).Scan(&names)
		return names, err
	}
	var sawMine, sawTheirs [3][]string
	look := func(scope pg.Scope, name string, saw *[3][]string) work {
		return func(ctx context.Context, tx *pg.Tx) (err error) {
			tx.Queue(insertItem, scope.OrganizationID, id.New(), name)
			for i := range saw {
				if saw[i], err = visible(ctx, tx); err != nil {
					return err
				}
			}
			return nil
		}
	}
	smuggle := func(ctx context.Context, tx *pg.Tx) error {
		if _, err := visible(ctx, tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, insertItem, b.other.OrganizationID, id.New(), "smuggled")
		return err
	}
	for _, withError := range []bool{false, true} {
		mine, theirs := fmt.Sprint("mine ", withError), fmt.Sprint("theirs ", withError)
		works := []work{look(b.mine, mine, &sawMine), look(b.other, theirs, &sawTheirs)}
		if withError {
			works = append(works, smuggle)
		}
		all := b.together(t, works...)
		all.members[1].scope = b.other
		all.run(t)
		require.NoError(t, all.members[0].err)
		require.NoError(t, all.members[1].err)
		for i := range sawMine {
			require.NotContains(t, sawMine[i], "theirs of old")
			require.NotContains(t, sawMine[i], theirs)
			require.Contains(t, sawMine[i], mine)
			require.NotContains(t, sawTheirs[i], mine)
			require.Contains(t, sawTheirs[i], theirs)
			require.Contains(t, sawTheirs[i], "theirs of old")
		}
		if withError {
			require.Equal(t, errs.Internal, errs.KindOf(all.members[2].err))
			continue
		}
		for _, member := range all.members {
			require.EqualValues(t, 1, member.runs.Load(), "they were together")
		}
	}
	require.Equal(t, []string{"mine false", "mine true", "theirs false", "theirs of old", "theirs true"}, b.names(t))
	scopes, err := pg.SessionScopes(t.Context(), b.DB)
	require.NoError(t, err)
	for _, scope := range scopes {
		require.Empty(t, scope)
	}
}

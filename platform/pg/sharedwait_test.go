package pg_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/pg"
)

func TestMemberThatIsGoneOrSlowHoldsUpNobody(t *testing.T) {
	t.Parallel()
	for name, life := range map[string]time.Duration{"canceled": patience, "slow": 50 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			var transactions sync.Map
			stuck := make(chan struct{})
			all := b.together(t, b.insertItemNamed("waits for the others", &transactions), nil, b.insertItemNamed("gives up", &transactions))
			pg.SetSharing(b.DB, patience, life)
			all.members[1].work = func(ctx context.Context, tx *pg.Tx) error {
				if all.members[1].runs.Load() == 1 {
					<-stuck
				}
				return b.insertItemNamed("stuck", &transactions)(ctx, tx)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			all.members[2].ctx = ctx
			finished := make(chan struct{})
			go func() {
				defer close(finished)
				all.run(t)
			}()
			if name == "canceled" {
				require.Eventually(t, func() bool { return all.members[2].runs.Load() == 1 }, patience, time.Millisecond)
				cancel()
			}
			// The first one is done while the second is stuck.
			require.Eventually(t, func() bool { return all.members[0].hooks.Load() == 1 }, patience, time.Millisecond)
			close(stuck)
			<-finished
			require.NoError(t, all.members[0].err)
			require.NoError(t, all.members[1].err)
			if name == "canceled" {
				require.Equal(t, errs.Canceled, errs.KindOf(all.members[2].err))
				require.Equal(t, []string{"stuck", "waits for the others"}, b.names(t))
				return
			}
			require.NoError(t, all.members[2].err)
			require.Equal(t, []string{"gives up", "stuck", "waits for the others"}, b.names(t))
		})
	}
}

func TestLockOfOneHoldsUpNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	locked := b.insert(t, b.mine, "locked")
	var transactions sync.Map
	all := b.together(t, b.insertItemNamed("a", &transactions), func(ctx context.Context, tx *pg.Tx) error {
		_, err := tx.Exec(ctx, `update item set size = size + 1 where id = $1`, locked)
		return err
	})
	require.NoError(t, b.DB.InTx(t.Context(), b.mine, func(ctx context.Context, tx *pg.Tx) error {
		_, err := tx.Exec(ctx, `update item set size = size + 1 where id = $1`, locked)
		require.NoError(t, err)
		finished := make(chan struct{})
		t.Cleanup(func() { <-finished })
		go func() {
			defer close(finished)
			all.run(t)
		}()
		// Sooner than any statement would time out.
		require.Eventually(t, func() bool { return all.members[0].hooks.Load() == 1 }, 3*time.Second, time.Millisecond)
		require.Zero(t, all.members[1].hooks.Load())
		// Nor is the turn held.
		return b.share(&sharing{ctx: t.Context(), scope: b.mine, work: b.insertItemNamed("c", &transactions)})
	}))
	require.Eventually(t, func() bool { return all.members[1].hooks.Load() == 1 }, patience, time.Millisecond)
	require.Equal(t, []string{"a", "c", "locked"}, b.names(t))
}

func TestWhoTakesLongInCompanyIsOvertaken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stuck, entered := make(chan struct{}), make(chan struct{})
	waits := func(context.Context, *pg.Tx) error {
		entered <- struct{}{}
		<-stuck
		return nil
	}
	all := b.together(t, waits, waits)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		all.run(t)
	}()
	<-entered
	<-entered
	pg.SetSharing(b.DB, 10*time.Millisecond, patience)
	var transactions sync.Map
	require.NoError(t, b.share(&sharing{ctx: t.Context(), scope: b.mine, work: b.insertItemNamed("a", &transactions)}))
	require.EqualValues(t, 1, b.metric(t, "braid_pg_sharers_total", "overtaking"))
	close(stuck)
	<-finished
	require.NoError(t, errors.Join(all.members[0].err, all.members[1].err))
}

func TestWhoTakesLongAloneLosesTheTurn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pg.SetSharing(b.DB, 10*time.Millisecond, patience)
	var running sync.WaitGroup
	release := b.holdTurn(t, &running)
	var transactions sync.Map
	for i := range 3 {
		require.NoError(t, b.share(&sharing{ctx: t.Context(), scope: b.mine, work: b.insertItemNamed(fmt.Sprint(i), &transactions)}))
	}
	// The first of them may have had as little patience as the turn is long.
	require.GreaterOrEqual(t, b.metric(t, "braid_pg_sharers_total", "alone"), 3.0)
	release()
	running.Wait()
	require.Equal(t, []string{"0", "1", "2"}, b.names(t))
}

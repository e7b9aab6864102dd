package pg_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

var errOwn = errors.New("a reason of its own")

// mishap is what happens to one member of a shared transaction.
type mishap struct {
	victim func(b *bundle, ctx context.Context, tx *pg.Tx, firstRun bool) error
	check  func(t *testing.T, err error)
	// undisturbed says that the others' work need not run again.
	undisturbed bool
}

var mishaps = map[string]mishap{
	"a statement fails": {
		victim: func(b *bundle, ctx context.Context, tx *pg.Tx, _ bool) error {
			_, err := tx.Exec(ctx, insertItem, b.mine.OrganizationID, id.New(), "taken")
			return err
		},
		check: func(t *testing.T, err error) { require.Equal(t, "item_name_key", pg.ConstraintOf(err)) },
	},
	"a statement fails that goes out with the commit": {
		victim: func(b *bundle, _ context.Context, tx *pg.Tx, _ bool) error {
			tx.Queue(insertItem, b.mine.OrganizationID, id.New(), "taken")
			return nil
		},
		check: func(t *testing.T, err error) { require.Equal(t, "item_name_key", pg.ConstraintOf(err)) },
	},
	"an error is passed over": {
		victim: func(b *bundle, ctx context.Context, tx *pg.Tx, _ bool) error {
			_, _ = tx.Exec(ctx, insertItem, b.mine.OrganizationID, id.New(), "taken")
			_, _ = tx.Exec(ctx, insertItem, b.mine.OrganizationID, id.New(), "behind an error")
			return nil
		},
		check: func(t *testing.T, err error) { require.Error(t, err) },
	},
	"it changes its mind": {
		victim: func(b *bundle, ctx context.Context, tx *pg.Tx, _ bool) error {
			_, err := tx.Exec(ctx, insertItem, b.mine.OrganizationID, id.New(), "not meant")
			return errors.Join(errOwn, err)
		},
		check: func(t *testing.T, err error) { require.ErrorIs(t, err, errOwn) },
	},
	"it refuses before its first statement": {
		victim: func(b *bundle, _ context.Context, tx *pg.Tx, _ bool) error {
			tx.Queue(insertItem, b.mine.OrganizationID, id.New(), "not meant")
			return errOwn
		},
		check:       func(t *testing.T, err error) { require.Equal(t, errOwn, err) },
		undisturbed: true,
	},
	"a conflict": {
		victim: func(b *bundle, ctx context.Context, tx *pg.Tx, firstRun bool) error {
			if !firstRun {
				return nil
			}
			_, err := tx.Exec(ctx, `do $$ begin raise exception 'conflict' using errcode = 'serialization_failure'; end $$`)
			return err
		},
		check: func(t *testing.T, err error) { require.NoError(t, err) },
	},
	"the connection is lost": {
		victim: func(b *bundle, ctx context.Context, tx *pg.Tx, firstRun bool) error {
			if !firstRun {
				return nil
			}
			_, err := tx.Exec(ctx, `select pg_terminate_backend(pg_backend_pid())`)
			return err
		},
		check: func(t *testing.T, err error) { require.NoError(t, err) },
	},
	"its result is large": {
		victim: func(b *bundle, ctx context.Context, tx *pg.Tx, _ bool) error {
			var text string
			return tx.QueryRow(ctx, `select repeat('x', 2000000)`).Scan(&text)
		},
		check: func(t *testing.T, err error) { require.NoError(t, err) },
	},
}

// When anything happens to one member, it alone has to bear it; the others' work is done once all the same.
func TestWhatHappensToOneMember(t *testing.T) {
	t.Parallel()
	for name, test := range mishaps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.insert(t, b.mine, "taken")
			var transactions sync.Map
			all := b.together(t, b.insertItemNamed("a", &transactions), nil, b.insertItemNamed("b", &transactions))
			victim := all.members[1]
			victim.work = func(ctx context.Context, tx *pg.Tx) error { return test.victim(b, ctx, tx, victim.runs.Load() == 1) }
			all.run(t)
			test.check(t, victim.err)
			if victim.err != nil {
				require.Zero(t, victim.hooks.Load())
			}
			require.Equal(t, []string{"a", "b", "taken"}, b.names(t))
			for _, other := range []*sharing{all.members[0], all.members[2]} {
				require.NoError(t, other.err)
				require.EqualValues(t, 1, other.hooks.Load())
				require.Equal(t, test.undisturbed, other.runs.Load() == 1)
			}
		})
	}
}

func TestMemberThatPanicsLeavesTheOthers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var transactions sync.Map
	all := b.together(t, b.insertItemNamed("a", &transactions), b.insertItemNamed("b", &transactions))
	var running sync.WaitGroup
	release := b.holdTurn(t, &running)
	panicked := make(chan any, 1)
	running.Go(func() {
		defer func() { panicked <- recover() }()
		_ = b.DB.InSharedTx(t.Context(), b.mine, id.New(), func(ctx context.Context, tx *pg.Tx) error {
			_, _ = tx.Exec(ctx, insertItem, b.mine.OrganizationID, id.New(), "panicked")
			panic("on purpose")
		})
	})
	b.awaitQueue(t, 1)
	for i, member := range all.members {
		running.Go(func() { member.err = b.share(member) })
		b.awaitQueue(t, i+2)
	}
	release()
	running.Wait()
	require.Equal(t, "on purpose", <-panicked)
	require.Equal(t, []string{"a", "b"}, b.names(t))
	b.insert(t, b.mine, "the connections still work")
}

func TestLostCommitIsUnknownToAllMembers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var transactions sync.Map
	all := b.together(t, b.insertItemNamed("a", &transactions), b.insertItemNamed("dies at commit", &transactions))
	all.run(t)
	for _, member := range all.members {
		require.ErrorIs(t, member.err, pg.ErrCommitUnknown)
		require.True(t, pg.IsUnavailable(member.err))
		require.EqualValues(t, 1, member.runs.Load())
		require.Zero(t, member.hooks.Load())
	}
	require.Empty(t, b.names(t))
}

func TestCommitIsNotBrokenUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	slow := func(name string) work {
		return func(_ context.Context, tx *pg.Tx) error {
			tx.Queue(insertItem, b.mine.OrganizationID, id.New(), name)
			tx.Queue(`select pg_sleep(0.5)`)
			return nil
		}
	}
	all := b.together(t, slow("a"), slow("b"))
	pg.SetSharing(b.DB, patience, 500*time.Millisecond)
	all.run(t)
	for _, member := range all.members {
		require.NoError(t, member.err)
		require.EqualValues(t, 1, member.runs.Load())
		require.EqualValues(t, 1, member.hooks.Load())
	}
	require.Equal(t, []string{"a", "b"}, b.names(t))
}

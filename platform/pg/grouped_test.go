package pg_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

var (
	insertItems = pg.NewGrouped("id uuid, organization_id uuid, user_id uuid, name text", `insert into item ({names}) select {names} from {calls}`)
	// growItems tells the new size of an item that is there, and how many words came with it.
	growItems = pg.NewGrouped("id uuid, words text[], by integer", `merge into item using {calls} on item.id = calls.id
		when matched then update set size = size + calls.by
		when not matched and false then insert default values
		returning calls.id, item.size, coalesce(cardinality(calls.words), -1)`)
)

// grow has one item grow, and notes the transaction it was in.
func grow(itemID id.ID, words []string, by int, size, count *int, transaction *string) work {
	return func(ctx context.Context, tx *pg.Tx) error {
		var answered id.ID
		if err := tx.QueryRowGrouped(ctx, growItems, itemID, words, by).Scan(&answered, size, count); err != nil {
			return err
		}
		if answered != itemID {
			return fmt.Errorf("the answer of %s came to %s", answered, itemID)
		}
		return tx.QueryRow(ctx, `select pg_current_xact_id()::text`).Scan(transaction)
	}
}

func TestGroupedStatementAnswersEachOfItsCallers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mine, theirs := b.insert(t, b.mine, "mine"), b.insert(t, b.other, "theirs")
	var sizes, counts [4]int
	var transactions [4]string
	all := b.together(t,
		grow(mine, []string{"a", `b "c", {d}`, ""}, 3, &sizes[0], &counts[0], &transactions[0]),
		grow(theirs, []string{}, 4, &sizes[1], &counts[1], &transactions[1]),
		grow(id.New(), nil, 5, &sizes[2], &counts[2], &transactions[2]), // There is no such item.
		func(ctx context.Context, tx *pg.Tx) error {
			return tx.QueryRow(ctx, `select pg_current_xact_id()::text`).Scan(&transactions[3])
		},
	)
	all.members[1].scope = b.other
	// One that has no row leaves the others alone as long as it takes that well.
	missing := all.members[2].work
	all.members[2].work = func(ctx context.Context, tx *pg.Tx) error {
		require.ErrorIs(t, missing(ctx, tx), pg.ErrNoRows)
		return nil
	}
	all.run(t)
	for _, member := range all.members {
		require.NoError(t, member.err)
		require.EqualValues(t, 1, member.runs.Load(), "they were together")
	}
	require.Equal(t, [4]int{3, 4, 0, 0}, sizes)
	require.Equal(t, [4]int{3, 0, 0, 0}, counts)
	require.Equal(t, transactions[0], transactions[1])
	require.Equal(t, transactions[0], transactions[3])
}

// Each call is judged by its own scope, wherever it stands among the others.
func TestGroupedStatementKeepsScopesApart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mine, theirs := b.insert(t, b.mine, "mine"), b.insert(t, b.other, "theirs")
	add := func(scope pg.Scope, name string) work {
		return func(_ context.Context, tx *pg.Tx) error {
			tx.QueueGrouped(insertItems, id.New(), scope.OrganizationID, id.ID{}, name)
			return nil
		}
	}
	var ignored int
	var transaction string
	for name, trespass := range map[string]work{
		"reads":  grow(theirs, nil, 1, &ignored, &ignored, &transaction),
		"writes": add(b.other, "smuggled"),
	} {
		all := b.together(t, add(b.mine, name+" 1"), add(b.other, name+" 2"), trespass, add(b.other, name+" 4"), add(b.mine, name+" 5"),
			grow(mine, nil, 1, &ignored, &ignored, &transaction))
		all.members[1].scope, all.members[3].scope = b.other, b.other
		all.run(t)
		for i, member := range all.members {
			if i != 2 {
				require.NoError(t, member.err, "%s: member %d", name, i)
			}
		}
		require.Error(t, all.members[2].err, name)
	}
	require.Equal(t, []string{
		"mine", "reads 1", "reads 2", "reads 4", "reads 5", "theirs", "writes 1", "writes 2", "writes 4", "writes 5",
	}, b.names(t))
	var strays int
	require.NoError(t, b.Admin.QueryRow(t.Context(), `select count(*) from item where size > 0 and id <> $1`, mine.String()).Scan(&strays))
	require.Zero(t, strays)
}

// What a member sends stays in its order, however the others' statements stand beside it.
func TestGroupedStatementsKeepEachMembersOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const rename = `update item set name = $2 where id = $1`
	ids := [3]id.ID{id.New(), id.New(), id.New()}
	insert := func(tx *pg.Tx, member int) {
		tx.QueueGrouped(insertItems, ids[member], b.mine.OrganizationID, id.ID{}, fmt.Sprint("new ", member))
	}
	all := b.together(t,
		func(_ context.Context, tx *pg.Tx) error {
			insert(tx, 0)
			tx.Queue(rename, ids[0], "renamed 0")
			return nil
		},
		func(ctx context.Context, tx *pg.Tx) error {
			tx.Queue(`update item set size = 1 where false`)
			insert(tx, 1)
			var size, count int
			var transaction string
			return grow(ids[1], nil, 7, &size, &count, &transaction)(ctx, tx)
		},
		func(_ context.Context, tx *pg.Tx) error {
			insert(tx, 2)
			tx.Queue(rename, ids[2], "between")
			tx.QueueGrouped(insertItems, id.New(), b.mine.OrganizationID, id.ID{}, "new 2")
			return nil
		},
	)
	all.run(t)
	for _, member := range all.members {
		require.NoError(t, member.err)
		require.EqualValues(t, 1, member.runs.Load())
	}
	require.Equal(t, []string{"between", "new 1", "new 2", "renamed 0"}, b.names(t))
}

func TestGroupedStatementWorksAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	itemID := id.New()
	var size, count int
	var transaction string
	require.NoError(t, b.DB.InTx(t.Context(), b.mine, func(ctx context.Context, tx *pg.Tx) error {
		tx.QueueGrouped(insertItems, itemID, b.mine.OrganizationID, id.ID{}, "alone")
		return grow(itemID, []string{"x"}, 2, &size, &count, &transaction)(ctx, tx)
	}))
	require.Equal(t, [2]int{2, 1}, [2]int{size, count})
	err := b.DB.InTx(t.Context(), b.mine, func(_ context.Context, tx *pg.Tx) error {
		tx.QueueGrouped(insertItems, id.New(), b.other.OrganizationID, id.ID{}, "smuggled")
		return nil
	})
	require.Equal(t, errs.Internal, errs.KindOf(err))
}

// Nobody waits long for a lock together with others, and whoever does goes on alone.
func TestGroupedStatementThatWaitsForALockGoesAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	locked, free := b.insert(t, b.mine, "locked"), b.insert(t, b.mine, "free")
	holder, err := b.Admin.Begin(t.Context())
	require.NoError(t, err)
	_, err = holder.Exec(t.Context(), `update item set size = 10 where id = $1`, locked.String())
	require.NoError(t, err)
	var sizes, counts [2]int
	var transactions [2]string
	all := b.together(t, grow(locked, nil, 1, &sizes[0], &counts[0], &transactions[0]), grow(free, nil, 1, &sizes[1], &counts[1], &transactions[1]))
	var running sync.WaitGroup
	running.Go(func() { all.run(t) })
	require.Eventually(t, func() bool { return b.metric(t, "braid_pg_sharers_total", "replayed") > 0 }, patience, time.Millisecond)
	require.NoError(t, holder.Commit(t.Context()))
	running.Wait()
	for _, member := range all.members {
		require.NoError(t, member.err)
	}
	require.Equal(t, [2]int{11, 1}, sizes)
}

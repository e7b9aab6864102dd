package pg_test

import (
	"context"
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

func TestRolesSeeWhatTheirPoliciesShow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.insert(t, b.mine, "a")
	b.insert(t, b.other, "b")
	person := pg.Scope{UserID: id.New()}
	_, err := b.Admin.Exec(t.Context(), `update item set user_id = $1 where name = 'b'`, person.UserID.String())
	require.NoError(t, err)

	list := func(querier pg.Querier) []string {
		var names []string
		require.NoError(t, querier.QueryRow(t.Context(), `select coalesce(array_agg(name order by name), '{}') from item`).Scan(&names))
		return names
	}
	for _, scoped := range []func(pg.Scope) pg.Querier{b.DB.Read, b.DB.Point} {
		require.Equal(t, []string{"a"}, list(scoped(b.mine)))
		require.Equal(t, []string{"b"}, list(scoped(b.other)))
		require.Equal(t, []string{"b"}, list(scoped(person)))
		require.Empty(t, list(scoped(pg.Scope{})))
	}
	require.Equal(t, []string{"a", "b"}, list(b.DB.WorkerRead()))
	require.Equal(t, []string{"a", "b"}, list(b.Owner))

	require.NoError(t, b.DB.InTx(t.Context(), b.mine, func(ctx context.Context, tx *pg.Tx) error {
		require.Equal(t, []string{"a"}, list(tx))
		tag, err := tx.Exec(ctx, `update item set size = 1`)
		require.EqualValues(t, 1, tag.RowsAffected())
		return err
	}))
	err = b.DB.InTx(t.Context(), b.mine, func(ctx context.Context, tx *pg.Tx) error {
		_, err := tx.Exec(ctx, insertItem, b.other.OrganizationID, id.New(), "smuggled")
		return err
	})
	require.Error(t, err, "a row of another organization is refused")
	require.Equal(t, errs.Internal, errs.KindOf(err))
	err = b.DB.InWorkerTx(t.Context(), func(ctx context.Context, tx *pg.Tx) error {
		_, err := tx.Exec(ctx, `delete from item`)
		return err
	})
	require.Error(t, err, "the worker role has only what it was granted")
	require.Equal(t, []string{"a", "b"}, b.names(t))
}

func TestScopeEndsWithItsTransaction(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, use := range map[string]func(){
		"transaction": func() { b.insert(t, pg.Scope{OrganizationID: b.mine.OrganizationID, UserID: id.New()}, "a") },
		"read": func() {
			scope := pg.Scope{OrganizationID: b.mine.OrganizationID, UserID: id.New()}
			require.NoError(t, b.DB.Read(scope).QueryRow(t.Context(), `select 1`).Scan(new(int)))
		},
	} {
		use()
		scopes, err := pg.SessionScopes(t.Context(), b.DB)
		require.NoError(t, err)
		require.NotEmpty(t, scopes, name)
		for _, scope := range scopes {
			require.Empty(t, scope, name)
		}
	}
}

func TestQueuedStatementsRunInOrderBeforeTheNext(t *testing.T) {
	t.Parallel()
	b := setup(t)
	insert := func(tx *pg.Tx, name string) { tx.Queue(insertItem, b.mine.OrganizationID, id.New(), name) }
	require.NoError(t, b.DB.InTx(t.Context(), b.mine, func(ctx context.Context, tx *pg.Tx) error {
		insert(tx, "a")
		tx.Queue(`update item set name = name || '1'`)
		var names []string
		require.NoError(t, tx.QueryRow(ctx, `select array_agg(name) from item`).Scan(&names))
		require.Equal(t, []string{"a1"}, names)
		insert(tx, "b")
		rows, err := tx.Query(ctx, `select name from item order by name`)
		require.NoError(t, err)
		names = nil
		for rows.Next() {
			var name string
			require.NoError(t, rows.Scan(&name))
			names = append(names, name)
		}
		require.NoError(t, rows.Err())
		require.Equal(t, []string{"a1", "b"}, names)
		insert(tx, "c")
		return nil
	}))
	require.Equal(t, []string{"a1", "b", "c"}, b.names(t))
	require.NoError(t, b.DB.InTx(t.Context(), b.mine, func(_ context.Context, tx *pg.Tx) error {
		insert(tx, "only queued")
		return nil
	}))
	require.Contains(t, b.names(t), "only queued")
}

func TestErrorOfQueuedStatementSurfacesTranslated(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.insert(t, b.mine, "taken")
	duplicate := func(tx *pg.Tx) { tx.Queue(insertItem, b.mine.OrganizationID, id.New(), "taken") }

	t.Run("from commit", func(t *testing.T) {
		t.Parallel()
		committed := false
		err := b.DB.InTx(t.Context(), b.mine, func(_ context.Context, tx *pg.Tx) error {
			tx.AfterCommit(func() { committed = true })
			duplicate(tx)
			return nil
		})
		require.Equal(t, errs.AlreadyExists, errs.KindOf(err))
		require.Equal(t, "item_name_key", pg.ConstraintOf(err))
		require.Equal(t, "item_name_key", errs.From(err).Metadata["constraint"])
		require.False(t, committed)
	})
	t.Run("from the next statement, and it cannot be passed over", func(t *testing.T) {
		t.Parallel()
		err := b.DB.InTx(t.Context(), b.mine, func(ctx context.Context, tx *pg.Tx) error {
			duplicate(tx)
			_, err := tx.Exec(ctx, insertItem, b.mine.OrganizationID, id.New(), "behind")
			require.Equal(t, errs.AlreadyExists, errs.KindOf(err))
			_, err = tx.Exec(ctx, insertItem, b.mine.OrganizationID, id.New(), "after")
			require.Equal(t, errs.AlreadyExists, errs.KindOf(err))
			return nil
		})
		require.Equal(t, errs.AlreadyExists, errs.KindOf(err))
		require.Equal(t, []string{"taken"}, b.names(t))
	})
	t.Run("a statement's error that was passed over fails the commit", func(t *testing.T) {
		t.Parallel()
		err := b.DB.InTx(t.Context(), b.mine, func(ctx context.Context, tx *pg.Tx) error {
			var one int
			require.NoError(t, tx.QueryRow(ctx, `select 1`).Scan(&one))
			_, err := tx.Exec(ctx, insertItem, b.mine.OrganizationID, id.New(), "taken")
			require.Error(t, err)
			return nil
		})
		require.Equal(t, errs.AlreadyExists, errs.KindOf(err))
	})
	t.Run("a statement that cannot be prepared leaves nothing half done", func(t *testing.T) {
		t.Parallel()
		err := b.DB.InTx(t.Context(), b.mine, func(ctx context.Context, tx *pg.Tx) error {
			tx.Queue(insertItem, b.mine.OrganizationID, id.New(), "before a typo")
			_, err := tx.Exec(ctx, `selekt 1`)
			require.Error(t, err)
			_, err = tx.Exec(ctx, insertItem, b.mine.OrganizationID, id.New(), "after a typo")
			require.Error(t, err)
			return nil
		})
		require.Error(t, err)
		require.NotContains(t, b.names(t), "after a typo")
	})
}

func TestWorkThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	refused := errors.New("refused")
	err := b.DB.InTx(t.Context(), b.mine, func(ctx context.Context, tx *pg.Tx) error {
		tx.AfterCommit(func() { t.Error("nothing was committed") })
		_, err := tx.Exec(ctx, insertItem, b.mine.OrganizationID, id.New(), "a")
		require.NoError(t, err)
		return refused
	})
	require.ErrorIs(t, err, refused)
	require.Panics(t, func() {
		_ = b.DB.InTx(t.Context(), b.mine, func(ctx context.Context, tx *pg.Tx) error {
			_, err := tx.Exec(ctx, insertItem, b.mine.OrganizationID, id.New(), "b")
			require.NoError(t, err)
			panic("on purpose")
		})
	})
	canceled, cancel := context.WithCancel(t.Context())
	err = b.DB.InTx(canceled, b.mine, func(ctx context.Context, tx *pg.Tx) error {
		_, err := tx.Exec(ctx, insertItem, b.mine.OrganizationID, id.New(), "c")
		cancel()
		return err
	})
	require.Equal(t, errs.Canceled, errs.KindOf(err))
	require.Empty(t, b.names(t))
	b.insert(t, b.mine, "the connections still work")
}

func TestTransactionWithoutStatementTakesNoConnection(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.DB.Close()
	hooks := 0
	require.NoError(t, b.DB.InTx(t.Context(), b.mine, func(_ context.Context, tx *pg.Tx) error {
		tx.AfterCommit(func() { hooks++ })
		return nil
	}))
	require.Equal(t, 1, hooks)
}

func TestConflictsAreRunAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	conflict := `do $$ begin raise exception 'conflict' using errcode = 'serialization_failure'; end $$`

	runs, hooks := 0, 0
	require.NoError(t, b.DB.InTx(t.Context(), b.mine, func(ctx context.Context, tx *pg.Tx) error {
		runs++
		tx.AfterCommit(func() { hooks++ })
		if _, err := tx.Exec(ctx, insertItem, b.mine.OrganizationID, id.New(), "once"); err != nil {
			return err
		}
		if runs < 3 {
			_, err := tx.Exec(ctx, conflict)
			require.Error(t, err)
			return errors.New("work hides the cause")
		}
		return nil
	}))
	require.Equal(t, 3, runs)
	require.Equal(t, 1, hooks, "hooks of attempts that lost are dropped")
	require.Equal(t, []string{"once"}, b.names(t))

	runs = 0
	err := b.DB.InTx(t.Context(), b.mine, func(_ context.Context, tx *pg.Tx) error {
		runs++
		tx.Queue(conflict)
		return nil
	})
	require.Equal(t, errs.Aborted, errs.KindOf(err))
	require.Equal(t, 5, runs, "bounded")
	count, err := testutil.GatherAndCount(b.Registry, "braid_pg_transaction_retries_total")
	require.NoError(t, err)
	require.Equal(t, 1, count)
}

func TestLostCommitIsNeverRepeated(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, work := range map[string]func(context.Context, *pg.Tx) error{
		"commit alone": func(ctx context.Context, tx *pg.Tx) error {
			_, err := tx.Exec(ctx, insertItem, b.mine.OrganizationID, id.New(), "dies at commit")
			return err
		},
		"commit behind a queued statement": func(_ context.Context, tx *pg.Tx) error {
			tx.Queue(insertItem, b.mine.OrganizationID, id.New(), "dies at commit")
			return nil
		},
	} {
		runs := 0
		err := b.DB.InTx(t.Context(), b.mine, func(ctx context.Context, tx *pg.Tx) error {
			runs++
			return work(ctx, tx)
		})
		require.ErrorIs(t, err, pg.ErrCommitUnknown, name)
		require.True(t, pg.IsUnavailable(err), name)
		require.Equal(t, 1, runs, name)
	}
}

func TestServerThatRestartedIsFoundAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.insert(t, b.mine, "a")
	b.Terminate(t)
	b.insert(t, b.mine, "b")
	b.Terminate(t)
	for _, querier := range []pg.Querier{b.DB.Read(b.mine), b.DB.WorkerRead(), b.DB.Point(b.mine)} {
		var count int
		require.NoError(t, querier.QueryRow(t.Context(), `select count(*) from item`).Scan(&count))
		require.Equal(t, 2, count)
	}
}

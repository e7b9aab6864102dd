package authz_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// The owner's own process reads for itself what it does not remember, and remembers it for requests as well.
func TestRecallTakesFromMemoryWhatIsFreshAndGranted(t *testing.T) {
	t.Parallel()
	o := newOwner(t)
	owned := func(names ...string) authz.Source {
		answer := answerWith(names...)
		return func(context.Context, id.ID, id.ID, int64) (authz.Answer, error) {
			o.set(func() { o.reads++ })
			return answer, nil
		}
	}
	allows := func(permission string) func(*authz.Held) bool {
		return func(held *authz.Held) bool {
			return held.Member && held.Decide(&access.Question{Permission: permission}).Allowed
		}
	}
	recall := func(source authz.Source, permission string) bool {
		held, err := o.Recall(t.Context(), o.organization, o.user, allows(permission), source)
		require.NoError(t, err)
		require.Equal(t, []string{"worker"}, held.RoleIDs)
		return allows(permission)(&held)
	}
	for range 3 {
		require.True(t, recall(owned("a.b.c"), "a.b.c"))
	}
	require.Equal(t, 1, o.reads)
	require.NoError(t, o.may(t, "a.b.c"))
	require.Zero(t, o.questions())
	for range 2 {
		require.False(t, recall(owned("a.b.c"), "x.y.z"))
	}
	require.Equal(t, 3, o.reads, "a no is never from memory")
	require.True(t, recall(owned("a.b.c", "x.y.z"), "x.y.z"), "nor does it outlive what it was about")
	o.Drop(o.organization, o.user)
	recall(owned("a.b.c"), "a.b.c")
	o.stale.Store(true)
	recall(owned("a.b.c"), "a.b.c")
	require.Equal(t, 6, o.reads)
	_, err := o.Recall(t.Context(), o.organization, o.user, allows("a.b.c"), func(context.Context, id.ID, id.ID, int64) (authz.Answer, error) {
		return authz.Answer{Member: true}, errors.New("down")
	})
	require.ErrorContains(t, err, "down")
	o.stale.Store(false)
	require.True(t, recall(owned(), "a.b.c"), "what could not be read changes nothing")
	require.Equal(t, 6, o.reads)
}

// What was read before a change must not be remembered after it.
func TestDropDuringARecallWins(t *testing.T) {
	t.Parallel()
	o := newOwner(t)
	o.remove()
	held, err := o.Recall(t.Context(), o.organization, o.user, func(held *authz.Held) bool { return held.Member }, func(context.Context, id.ID, id.ID, int64) (authz.Answer, error) {
		o.Drop(o.organization, o.user)
		return answerWith(read), nil
	})
	require.NoError(t, err)
	require.True(t, held.Member)
	requireKind(t, o.may(t, read), errs.NotFound)
}

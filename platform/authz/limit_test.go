package authz_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// While nothing remembered can be trusted, one user's requests must not take the owner away from the others.
func TestQuestionsOfAStaleProcessAreLimitedPerUser(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOwner(t, read)
		require.NoError(t, o.may(t, read))
		o.stale.Store(true)
		answers := map[errs.Kind]int{}
		ask := func(organizationID id.ID) {
			err := o.Authorize(t.Context(), organizationID, o.user, read)
			if kind := errs.KindOf(err); err != nil {
				answers[kind]++
				if kind == errs.ResourceExhausted {
					require.NotZero(t, errs.From(err).RetryAfter)
				}
			}
		}
		// Whether it is the same question again or always another.
		for i := range 1000 {
			ask(o.organization)
			if i%2 == 0 {
				ask(id.New())
			}
		}
		require.LessOrEqual(t, o.questions(), 601)
		require.Greater(t, answers[errs.ResourceExhausted], 800)
		requireKind(t, o.may(t, read), errs.ResourceExhausted)
		requireKind(t, o.Authorize(t.Context(), o.organization, id.New(), read), errs.NotFound)

		<-time.After(time.Second) // Of the bubble, where nothing else happens.
		require.NoError(t, o.may(t, read), "a moment later there is room again")
		o.stale.Store(false)
		require.NoError(t, o.may(t, read), "what is remembered costs no question once it can be trusted")
	})
}

// One who asks for things that are not theirs over and over costs the owner little, and the others nothing.
func TestDenialsAreLimitedPerUser(t *testing.T) {
	t.Parallel()
	o := newOwner(t, read)
	limited := 0
	for range 200 {
		if err := o.Authorize(t.Context(), id.New(), o.user, read); errs.KindOf(err) == errs.ResourceExhausted {
			require.NotZero(t, errs.From(err).RetryAfter)
			limited++
		}
	}
	require.Greater(t, limited, 100)
	require.Less(t, o.questions(), 100)
	requireKind(t, o.Authorize(t.Context(), id.New(), id.New(), read), errs.NotFound)
}

// A member of many organizations may be asked for all of them at once after a start.
func TestMissesOfMembersAreNotLimited(t *testing.T) {
	t.Parallel()
	access, err := authz.New(authz.Config{
		Source: func(context.Context, id.ID, id.ID, int64) (authz.Answer, error) { return answerWith(read), nil },
		Fresh:  func() bool { return true }, Clock: clock.System{}, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	require.NoError(t, err)
	user := id.New()
	for range 500 {
		require.NoError(t, access.Authorize(t.Context(), id.New(), user, read))
	}
}

func TestDeniedMemberIsStillToldWhyWhenLimited(t *testing.T) {
	t.Parallel()
	o := newOwner(t, read)
	for range 200 {
		requireKind(t, o.may(t, write), errs.PermissionDenied)
	}
	require.Less(t, o.questions(), 100)
	require.NoError(t, o.may(t, read))
}

// Who asks about another (to assign a task, say) must not spend what either needs for their own requests.
func TestWhoAsksAboutOthersSpendsNobodysOwn(t *testing.T) {
	t.Parallel()
	// In a bubble no time passes, and budgets don't grow again.
	synctest.Test(t, func(t *testing.T) {
		for _, stale := range []bool{false, true} {
			o := newOwner(t, read)
			o.stale.Store(stale)
			asker := id.New()
			asking := call.With(t.Context(), &call.Call{Actor: call.Actor{Kind: call.User, UserID: asker}})
			limited := 0
			for range 1000 {
				if err := o.Authorize(asking, id.New(), o.user, read); errs.KindOf(err) == errs.ResourceExhausted {
					limited++
				}
			}
			require.GreaterOrEqual(t, limited, 400)
			require.NoError(t, o.may(t, read))
			requireKind(t, o.Authorize(t.Context(), id.New(), o.user, read), errs.NotFound)
			requireKind(t, o.Authorize(asking, id.New(), asker, read), errs.NotFound)
		}
	})
}

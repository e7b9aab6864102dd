package call_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
)

func TestCallTravelsInTheContext(t *testing.T) {
	t.Parallel()
	outer := &call.Call{CorrelationID: "outer", Actor: call.Actor{Kind: call.User, UserID: id.New()}}
	ctx := call.With(t.Context(), outer)
	require.Same(t, outer, call.From(ctx))
	inner := &call.Call{CorrelationID: "inner"}
	require.Same(t, inner, call.From(call.With(ctx, inner)))
	require.Same(t, outer, call.From(ctx))
}

// Without a call the work is anonymous, and nobody else's: what one sets in it must not reach another.
func TestWithoutACallTheWorkIsAnonymous(t *testing.T) {
	t.Parallel()
	none := call.From(t.Context())
	require.Equal(t, call.Anonymous, none.Actor.Kind)
	require.True(t, none.Actor.UserID.IsZero())
	none.CorrelationID = "mine"
	require.Empty(t, call.From(t.Context()).CorrelationID)
}

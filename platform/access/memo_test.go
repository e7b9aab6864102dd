package access_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/access"
)

// A condition that stands before many inheritances is told once in a decision: ten of them cost no more than one.
func TestConditionIsToldOnceInADecision(t *testing.T) {
	const condition = "now.getHours() >= 0 && now.getHours() < 24"
	allocations := func(depth int) float64 {
		roles := []access.Role{{ID: "0", Allow: []string{"read"}}}
		for range depth {
			roles = append(roles, access.Role{ID: string(rune('0' + len(roles))), Parents: []access.Parent{conditional(roles[len(roles)-1].ID, condition)}})
		}
		holdings, err := newGraph(t, roles...).Hold(ada, []access.Assignment{{RoleID: roles[depth].ID, Scope: everywhere}})
		require.NoError(t, err)
		question := &access.Question{Permission: "read", Now: time.Unix(0, 0)}
		require.True(t, holdings.Decide(question).Allowed)
		return testing.AllocsPerRun(100, func() { holdings.Decide(question) })
	}
	require.InDelta(t, allocations(1), allocations(10), 1)
}

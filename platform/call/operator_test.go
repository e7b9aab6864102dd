package call_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/call"
)

func TestOperatorRolesCoverThoseBeforeThem(t *testing.T) {
	t.Parallel()
	order := []call.OperatorRole{call.OperatorSupport, call.OperatorSystem, call.OperatorAdmin}
	for i, role := range order {
		require.Equal(t, role, call.OperatorRoleOf(role.String()))
		require.False(t, call.OperatorRole(0).Covers(role), "who is none covers nothing")
		require.False(t, role.Covers(0), "nothing asked for is nothing allowed")
		for j, least := range order {
			require.Equal(t, i >= j, role.Covers(least), "%s covers %s", role, least)
		}
	}
	for _, name := range []string{"", "root", "Admin", "admin ", "owner"} {
		require.Zero(t, call.OperatorRoleOf(name), name)
	}
	unknown := call.OperatorRole(200)
	require.Empty(t, unknown.String())
	require.False(t, unknown.Covers(call.OperatorSupport))
}

package call_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/call"
)

func TestScopes(t *testing.T) {
	t.Parallel()
	scopes := call.NewScopes([]string{"workflow.task.read", "audit.*"})
	for permission, held := range map[string]bool{
		"workflow.task.read": true, "audit.event.read": true, "audit.anything.at-all": true,
		"workflow.task": false, "workflow.task.create": false, "workflow": false, "workflow.task.read.more": false,
		"auditor.event.read": false, "": false,
	} {
		require.Equal(t, held, scopes.Hold(permission), permission)
	}
	require.False(t, call.Scopes(nil).Hold("workflow.task.read"))
}

// A scope is asked for with every request of a machine.
func TestAskingForAScopeAllocatesNothing(t *testing.T) {
	scopes := call.NewScopes([]string{"workflow.task.read", "audit.*"})
	require.Zero(t, testing.AllocsPerRun(100, func() { scopes.Hold("audit.event.read") }))
}

func TestNetworks(t *testing.T) {
	t.Parallel()
	limited := &call.Limits{Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32")}}
	for address, admitted := range map[string]bool{
		"203.0.113.9": true, "203.0.114.9": false, "2001:db8::1": true, "2001:db9::1": false, "::1": false,
	} {
		require.Equal(t, admitted, limited.Admits(netip.MustParseAddr(address)), address)
	}
	require.False(t, limited.Admits(netip.Addr{}), "nobody knows where from")
	require.True(t, (&call.Limits{}).Admits(netip.Addr{}))
}

package authz_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// The organization's provider knows nobody of the deployment's: what lets them in is the grant. The rest of the policy holds.
func TestWhoActsInSomebodysNameIsHeldToThePolicyButForItsProvider(t *testing.T) {
	t.Parallel()
	now := time.Now()
	policy := (&authz.Policy{SessionMaxAge: time.Hour}).Requiring(id.New())
	member := call.Actor{Kind: call.User, UserID: id.New(), SessionID: id.New(), AuthTime: now, Methods: call.SeveralFactors}
	require.Equal(t, "POLICY_FORBIDS", errs.From(policy.Check(&authz.Caller{Actor: member, Now: now})).Reason)
	acting := member
	acting.ImpersonatorID = id.New()
	require.NoError(t, policy.Check(&authz.Caller{Actor: acting, Now: now}))
	acting.AuthTime = now.Add(-2 * time.Hour)
	require.Equal(t, "POLICY_FORBIDS", errs.From(policy.Check(&authz.Caller{Actor: acting, Now: now})).Reason)
}

package authz_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// calling is a request of the user from an address.
func (o *owner) calling(t *testing.T, address string) context.Context {
	return call.With(t.Context(), &call.Call{
		Procedure: "/braid.workflow.v1.TaskService/GetTask", ClientAddress: netip.MustParseAddr(address),
		Actor: call.Actor{Kind: call.User, UserID: o.user, SessionID: id.New()},
	})
}

func TestPolicyHoldsForResourcesAndForWhatIsRemembered(t *testing.T) {
	t.Parallel()
	o := newOwner(t, read)
	o.set(func() { o.held.Policy = &organizationv1.Policy{AllowedNetworks: []string{"203.0.113.0/24"}} })
	inside, outside := o.calling(t, "203.0.113.9"), o.calling(t, "198.51.100.7")
	for range 2 {
		require.NoError(t, o.Authorize(inside, o.organization, o.user, read))
		_, err := o.ask(inside, read, task(id.New(), id.New()))
		require.NoError(t, err)
	}
	require.Equal(t, 1, o.questions(), "what meets the policy is remembered")
	for _, permission := range []string{read, "", write} {
		err := o.Authorize(outside, o.organization, o.user, permission)
		requireKind(t, err, errs.PermissionDenied)
		require.Equal(t, "POLICY_FORBIDS", errs.From(err).Reason)
	}
	_, err := o.ask(outside, read, task(id.New(), id.New()))
	require.Equal(t, "POLICY_FORBIDS", errs.From(err).Reason)
	requireKind(t, o.Authorize(outside, id.New(), o.user, read), errs.NotFound)

	o.set(func() { o.held.Suspended = true })
	o.Clear()
	require.Equal(t, "MEMBER_SUSPENDED", errs.From(o.Authorize(outside, o.organization, o.user, read)).Reason)
}

// Without a policy that can be read nobody may.
func TestPolicyThatCannotBeReadLetsNobodyIn(t *testing.T) {
	t.Parallel()
	o := newOwner(t, read)
	o.set(func() { o.held.Policy = &organizationv1.Policy{AllowedNetworks: []string{"anywhere"}} })
	requireKind(t, o.may(t, read), errs.Unavailable)
}

// Who assigns a task to somebody, or mails them, does not know where they are.
func TestPolicyIsAskedOfWhoCallsOnly(t *testing.T) {
	t.Parallel()
	o := newOwner(t, read)
	o.set(func() { o.held.Policy = &organizationv1.Policy{AllowedNetworks: []string{"203.0.113.0/24"}} })
	other := call.With(t.Context(), &call.Call{Procedure: "/x", Actor: call.Actor{Kind: call.User, UserID: id.New(), SessionID: id.New()}})
	require.NoError(t, o.Authorize(other, o.organization, o.user, ""))
	job := call.With(t.Context(), &call.Call{Actor: call.Actor{Kind: call.User, UserID: o.user}})
	require.NoError(t, o.Authorize(job, o.organization, o.user, ""))
}

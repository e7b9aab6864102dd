package rpc

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// What an operator may call in somebody's name follows from the contract: an RPC that is added tomorrow is refused unless
// it asks for a permission of an organization.
func TestTheContractSaysWhatIsDoneInSomebodysName(t *testing.T) {
	t.Parallel()
	methods, err := Catalog()
	require.NoError(t, err)
	reading := call.Actor{
		Kind: call.User, UserID: id.New(), SessionID: id.New(), ImpersonatorID: id.New(), Impersonation: &call.Impersonation{OrganizationID: id.New()},
	}
	writing := reading
	writing.Impersonation = &call.Impersonation{OrganizationID: reading.Impersonation.OrganizationID, Writes: true}
	person := call.Actor{Kind: call.User, UserID: id.New(), SessionID: id.New()}
	admitted := 0
	for _, method := range methods {
		require.NoError(t, admitImpersonation(method, &person), method.Procedure)
		if method.Rule != Organization || method.Service == "identity" || method.StepUp != (StepUp{}) {
			require.Equal(t, "IMPERSONATION_FORBIDS", errs.From(admitImpersonation(method, &writing)).Reason, method.Procedure)
			continue
		}
		admitted++
		require.NoError(t, admitImpersonation(method, &writing), method.Procedure)
		if method.ReadOnly {
			require.NoError(t, admitImpersonation(method, &reading), method.Procedure)
		} else {
			require.Equal(t, "IMPERSONATION_READ_ONLY", errs.From(admitImpersonation(method, &reading)).Reason, method.Procedure)
		}
	}
	require.Greater(t, admitted, 40)
}

func TestWhatIsHalfAnImpersonationIsRefused(t *testing.T) {
	t.Parallel()
	method := &Method{Rule: Organization, Service: "workflow", ReadOnly: true}
	whole := call.Actor{Kind: call.User, UserID: id.New(), ImpersonatorID: id.New(), Impersonation: &call.Impersonation{Writes: true}}
	require.NoError(t, admitImpersonation(method, &whole))
	for name, change := range map[string]func(*call.Actor){
		"without limits":       func(actor *call.Actor) { actor.Impersonation = nil },
		"without an operator":  func(actor *call.Actor) { actor.ImpersonatorID = id.ID{} },
		"by a machine":         func(actor *call.Actor) { actor.Limits = &call.Limits{} },
		"by a service account": func(actor *call.Actor) { actor.Kind = call.ServiceAccount },
		"by a service":         func(actor *call.Actor) { actor.Kind = call.Service },
		"with a role":          func(actor *call.Actor) { actor.Operator = call.OperatorAdmin },
	} {
		half := whole
		change(&half)
		require.Equal(t, "IMPERSONATION_FORBIDS", errs.From(admitImpersonation(method, &half)).Reason, name)
	}
	require.Error(t, admitImpersonation(&Method{Rule: Organization, Service: "billing", ReadOnly: true}, &whole))
}

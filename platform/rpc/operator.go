package rpc

import (
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
)

var (
	errNoOperator = errs.New(errs.PermissionDenied, reasonLacking, "This is for operators of the deployment.")
	// The reason and the facts are those of an organization that asks for a second factor: a client does the same about it.
	errOperatorFactor = errs.New(errs.PermissionDenied, "POLICY_FORBIDS", "").With("policy", "secondFactor")
	errFactorUnshown  = errOperatorFactor.WithMessage("Operators need a second factor: show yours.").
				With("action", "stepUp").With(acrFact, call.StrongACR)
	errFactorUnenrolled = errOperatorFactor.WithMessage("Operators need a second factor: enroll one, then sign in with it.").
				With("action", "enrollFactor")
)

// requireOperator refuses whoever holds no operator's role, or too small a one, and operators who have not shown a second
// factor. The role is the token's word: it holds because the sessions of an operator end with the role. No credential of a
// machine has one. That the RPC exists is no secret, so everybody is refused alike before anything is looked at.
func requireOperator(method *Method, actor *call.Actor) error {
	switch {
	case method.Rule != Operator:
		return nil
	case actor.Kind != call.User || actor.Limits != nil || actor.SessionID.IsZero() || !actor.Operator.Covers(method.Operator):
		return errNoOperator.With("operator", method.Operator.String())
	case actor.Methods.Has(call.SeveralFactors):
		return nil
	case actor.Methods.Has(call.Strong):
		return errFactorUnenrolled
	default:
		return errFactorUnshown
	}
}

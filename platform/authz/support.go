package authz

import (
	"context"
	"errors"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// An operator of the deployment is in an organization by a support grant or not at all: the owner's answer makes them a
// member with one system role until the grant ends. It is asked for the operator's own requests only, where the chain has
// said that it records the access; nobody is assigned, notified or listed because of a grant.

// GrantSource asks the owner by which support grant an operator is let in; without one the answer is no member.
type GrantSource func(ctx context.Context, organizationID, operatorID id.ID, role call.OperatorRole) (Answer, error)

// operator is one who may be let in.
type operator struct {
	// key is what they have by a grant.
	key
	role call.OperatorRole
	// impersonates says that they act in somebody's name, and so never for more than that person may.
	impersonates bool
}

// operatorIn returns the operator who is behind the request, nil where nobody is let in by a grant. Whoever acts in
// somebody's name is nobody anywhere but in the one organization.
func (a *Access) operatorIn(ctx context.Context, own key) (*operator, error) {
	work := call.From(ctx)
	actor := &work.Actor
	if actor.Operator == 0 && actor.ImpersonatorID.IsZero() || actor.UserID != own.userID {
		return nil, nil
	}
	if work.SupportOrganizationID != own.organizationID || own.organizationID.IsZero() {
		if !actor.ImpersonatorID.IsZero() {
			return nil, errs.ErrNotFound
		}
		return nil, nil
	}
	if acting := actor.Impersonation; acting != nil {
		return &operator{key: key{own.organizationID, actor.ImpersonatorID, true}, role: acting.OperatorRole, impersonates: true}, nil
	}
	return &operator{key: key{own.organizationID, own.userID, true}, role: actor.Operator}, nil
}

// letIn decides about an operator: as the member that they are, else by a grant. In somebody's name both must allow it:
// what the person may, and what the grant does.
func (a *Access) letIn(ctx context.Context, own key, operator *operator, decide func(key) (call.Undecided, error)) (call.Undecided, error) {
	if operator.impersonates {
		undecided, err := decide(own)
		if err != nil {
			return nil, err
		}
		rest, err := decide(operator.key)
		if err == nil && rest != nil {
			// A grant is for the whole organization: there is no resource that it depends on.
			err = errs.ErrNotFound
		}
		return undecided, err
	}
	if _, known := a.recall(operator.key); !known || !a.Fresh() {
		undecided, err := decide(own)
		if !errors.Is(err, errs.ErrNotFound) {
			return undecided, err
		}
		// A member who is not shown something is a member.
		if held, known := a.recall(own); known && held.Member {
			return nil, err
		}
	}
	return decide(operator.key)
}

// sourceOf is whom a question goes to.
func (a *Access) sourceOf(ctx context.Context, wanted key) Source {
	if !wanted.granted {
		return a.Source
	}
	role := call.From(ctx).Actor.Operator
	if acting := call.From(ctx).Actor.Impersonation; acting != nil {
		role = acting.OperatorRole
	}
	return func(ctx context.Context, organizationID, operatorID id.ID, _ int64) (Answer, error) {
		if a.Grants == nil {
			return Answer{}, nil
		}
		return a.Grants(ctx, organizationID, operatorID, role)
	}
}

// GrantOf reads the owner's answer about an operator as it came over the wire.
func GrantOf(sent *organizationv1.GetSupportAccessResponse) (Answer, error) {
	if !sent.GetGranted() {
		return Answer{}, nil
	}
	grantID, err := id.Parse(sent.GetSupportGrantId())
	if err != nil {
		return Answer{}, err
	}
	ends := timeOf(sent.GetExpireTime())
	return Answer{
		Member: true, Frozen: FrozenBy(sent.GetOrganizationState()), Revision: sent.GetAccessRevision(), Policy: sent.GetPolicy(),
		JoinedAt: timeOf(sent.GetCreateTime()), GrantID: grantID, EndsAt: ends,
		Assignments: []access.Assignment{{
			ID: sent.GetSupportGrantId(), RoleID: sent.GetRoleId(), Scope: access.Scope{Kind: access.Organization}, Expire: ends,
		}},
	}, nil
}

// ended reports whether what was held by a grant is over.
func (h *Held) ended(clock clock.Clock) bool {
	return !h.grantID.IsZero() && !clock.Now().Before(h.endsAt)
}

// noteGrant tells the chain which grant it was.
func noteGrant(ctx context.Context, held *Held) {
	if !held.grantID.IsZero() && held.Member {
		call.From(ctx).SupportGrantID = held.grantID
	}
}

// askingFor is who asks, and so whose budget it costs: for one who acts in somebody's name, the operator.
func askingFor(actor *call.Actor) id.ID {
	if !actor.ImpersonatorID.IsZero() {
		return actor.ImpersonatorID
	}
	return actor.UserID
}

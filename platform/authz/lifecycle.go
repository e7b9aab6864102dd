package authz

import (
	"context"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

var (
	errOrganizationSuspended = errs.New(errs.FailedPrecondition, "ORGANIZATION_SUSPENDED", "The organization is suspended: it can be read and not changed.")
	errDeletionPending       = errs.New(errs.FailedPrecondition, "DELETION_PENDING", "The organization is about to be deleted: it can be read and not changed.")
)

// FrozenBy returns why an organization in a state can't be changed, nil when it can.
func FrozenBy(state organizationv1.Organization_State) *errs.Error {
	switch state {
	case organizationv1.Organization_SUSPENDED:
		return errOrganizationSuspended
	case organizationv1.Organization_PENDING_DELETION, organizationv1.Organization_DELETING:
		return errDeletionPending
	default:
		return nil
	}
}

// Changeable answers nil when the organization can be changed, FailedPrecondition when it can only be read, and Unavailable
// when nobody can tell. It is asked right after Authorize, and sees the answer that that one saw, or a later one.
func (a *Access) Changeable(ctx context.Context, organizationID, userID id.ID) error {
	wanted := key{organizationID: organizationID, userID: userID}
	if operator, _ := a.operatorIn(ctx, wanted); operator != nil && !operator.impersonates && !call.From(ctx).SupportGrantID.IsZero() {
		wanted = operator.key
	}
	held, cached := a.recall(wanted)
	if !cached {
		var err error
		if held, err = a.ask(ctx, wanted, func(held *Held) bool { return held.Member }, "miss"); err != nil {
			return err
		}
	}
	if held.Frozen != nil {
		return held.Frozen
	}
	return nil
}

package app

import (
	"context"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
)

// CheckAnswersFor refuses to act on the account of somebody the organization of the call does not answer for. They must be a
// member, with an address in a domain that the organization has proven and captures: whoever owns a domain can read the mail
// of its addresses and says who has them. Of other members it has only let them in, and an owner of any organization could
// take the second factors of everybody they once invited. It is asked before the transaction, as it asks another service.
func (a *App) CheckAnswersFor(ctx context.Context, userID id.ID) error {
	organizationID := call.From(ctx).OrganizationID
	if err := a.Membership.Authorize(ctx, organizationID, userID, ""); err != nil && errs.KindOf(err) != errs.PermissionDenied {
		return err
	}
	user, err := a.User(ctx, userID)
	if err != nil {
		return err
	}
	captured, err := store.FindCapturing(ctx, a.DB.Point(pg.Scope{}), domain.MailDomain(user.Email))
	if err == nil && captured != organizationID {
		err = domain.ErrMemberNotCaptured
	}
	return err
}

// ResetMemberFactors removes all that a member has besides the first proof, and ends their sessions. CheckAnswersFor must
// have passed.
func (a *App) ResetMemberFactors(ctx context.Context, tx *pg.Tx, userID id.ID, reason string) error {
	organizationID := call.From(ctx).OrganizationID
	store.ActAs(tx, userID)
	factors, err := store.LockFactors(ctx, tx, userID)
	if err != nil {
		return err
	}
	if err := a.disarm(ctx, tx, userID, identityv1.SessionRevoked_FACTORS_RESET); err != nil {
		return err
	}
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{
		Message: &identityv1.FactorsReset{
			OrganizationId: organizationID.String(), UserId: userID.String(), Reason: reason, Factors: int32(len(factors.Confirmed(""))),
		},
		Key: userID, OrganizationID: organizationID, Subject: "user/" + userID.String(),
	})
}

// disarm removes a person's factors, which are locked, and ends their sessions: what was opened with a lost phone must not
// stay open. The transaction acts as the person, and as the caller afterwards.
func (a *App) disarm(ctx context.Context, tx *pg.Tx, userID id.ID, why identityv1.SessionRevoked_Reason) error {
	if err := store.DeleteFactors(ctx, tx, userID); err != nil {
		return err
	}
	err := a.endSessions(ctx, tx, userID, id.ID{}, why)
	store.ActAs(tx, caller(ctx))
	return err
}

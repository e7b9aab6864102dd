package app

import (
	"context"
	"errors"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// OfferOwnership offers the caller's place as an owner to a member. An open offer gives way.
func (a *App) OfferOwnership(ctx context.Context, tx *pg.Tx, organizationID, userID id.ID) (domain.Transfer, error) {
	ownerID := call.From(ctx).Actor.UserID
	actor, standing, err := a.lockStanding(ctx, tx, organizationID, userID, domain.TransferOwnershipPermission)
	if err != nil {
		return domain.Transfer{}, err
	}
	// Whoever was an owner when the chain let them through may be none by now.
	if err := a.coversRole(&actor, domain.Owner); err != nil {
		return domain.Transfer{}, err
	}
	if err := domain.CheckOffer(standing.Target); err != nil {
		return domain.Transfer{}, err
	}
	if err := a.withdrawOffer(ctx, tx, organizationID); err != nil && !errors.Is(err, domain.ErrTransferNotPending) {
		return domain.Transfer{}, err
	}
	now := a.Clock.Now()
	offered := domain.Transfer{
		OrganizationID: organizationID, ID: id.New(), OwnerID: ownerID, UserID: userID,
		CreatedAt: now, ExpiresAt: now.Add(domain.TransferLifetime),
	}
	if err := store.InsertTransfer(ctx, tx, offered); err != nil {
		return domain.Transfer{}, err
	}
	return offered, a.tell(ctx, tx, organizationID, "ownership/"+offered.ID.String(), &organizationv1.OwnershipOffered{
		OrganizationId: organizationID.String(), TransferId: offered.ID.String(), OwnerId: ownerID.String(), UserId: userID.String(),
	})
}

// withdrawOffer removes the open offer and tells of it, unless time has ended it already. The organization must be
// locked.
func (a *App) withdrawOffer(ctx context.Context, tx *pg.Tx, organizationID id.ID) error {
	open, err := store.GetTransfer(ctx, tx, organizationID)
	if errors.Is(err, errs.ErrNotFound) {
		return domain.ErrTransferNotPending
	}
	if err != nil {
		return err
	}
	if err := store.DeleteTransfer(ctx, tx, organizationID); err != nil {
		return err
	}
	return a.tell(ctx, tx, organizationID, "ownership/"+open.ID.String(), &organizationv1.OwnershipTransferCanceled{
		OrganizationId: organizationID.String(), TransferId: open.ID.String(),
	})
}

// CancelTransfer takes the open offer back.
func (a *App) CancelTransfer(ctx context.Context, tx *pg.Tx, organizationID id.ID) error {
	if _, err := a.lockAccessAsMember(ctx, tx, organizationID); err != nil {
		return err
	}
	return a.withdrawOffer(ctx, tx, organizationID)
}

// GetTransfer returns the open offer; one whose time is over is none. Who may not read every offer, reads one that is made
// to them.
func (a *App) GetTransfer(ctx context.Context, organizationID id.ID) (domain.Transfer, error) {
	open, err := store.GetTransfer(ctx, a.DB.Point(pg.ScopeOf(ctx)), organizationID)
	if err == nil && !a.Clock.Now().Before(open.ExpiresAt) {
		err = errs.ErrNotFound
	}
	lacking := call.From(ctx).Lacking
	if lacking != nil && (errors.Is(err, errs.ErrNotFound) || err == nil && open.UserID != call.From(ctx).Actor.UserID) {
		return domain.Transfer{}, lacking
	}
	return open, err
}

// AcceptOwnership makes the caller an owner and whoever offered it an admin. The organization's lock comes first, as
// with every change of members, so the offer, both members and the owners are those of one moment.
func (a *App) AcceptOwnership(ctx context.Context, tx *pg.Tx, organizationID id.ID) (domain.Transfer, error) {
	userID := call.From(ctx).Actor.UserID
	// The chain has asked for a person only. Being a member shows without an organization in scope; nothing else does.
	if _, err := store.OwnRoles(ctx, tx, organizationID, userID); err != nil {
		return domain.Transfer{}, err
	}
	if err := store.EnterOrganization(ctx, tx, organizationID); err != nil {
		return domain.Transfer{}, err
	}
	actor, to, err := a.lockStanding(ctx, tx, organizationID, userID, "")
	if err != nil {
		return domain.Transfer{}, err
	}
	if err := a.requireActive(ctx, tx, organizationID); err != nil {
		return domain.Transfer{}, err
	}
	open, err := store.GetTransfer(ctx, tx, organizationID)
	if errors.Is(err, errs.ErrNotFound) {
		return domain.Transfer{}, domain.ErrTransferNotPending
	}
	if err != nil {
		return domain.Transfer{}, err
	}
	from, err := store.ReadStanding(ctx, tx, organizationID, open.OwnerID)
	if err != nil {
		return domain.Transfer{}, err
	}
	if err := open.CheckAccept(userID, from.Target, a.Clock.Now()); err != nil {
		return domain.Transfer{}, err
	}
	if _, err := a.raise(ctx, tx, organizationID, actor.catalog, false); err != nil {
		return domain.Transfer{}, err
	}
	fromRoles, toRoles := domain.HandOver(from.Target.RoleIDs, to.Target.RoleIDs)
	if err := a.mayOwn(ctx, tx, organizationID, userID, toRoles); err != nil {
		return domain.Transfer{}, err
	}
	// The new owner comes before the old one goes, so that there is one at every moment of what is told, too.
	if err := a.giveRoles(ctx, tx, to.Target, toRoles); err != nil {
		return domain.Transfer{}, err
	}
	if err := a.giveRoles(ctx, tx, from.Target, fromRoles); err != nil {
		return domain.Transfer{}, err
	}
	if err := store.DeleteTransfer(ctx, tx, organizationID); err != nil {
		return domain.Transfer{}, err
	}
	return open, a.tell(ctx, tx, organizationID, "ownership/"+open.ID.String(), &organizationv1.OwnershipTransferred{
		OrganizationId: organizationID.String(), TransferId: open.ID.String(), OwnerId: open.OwnerID.String(), UserId: userID.String(),
	})
}

// giveRoles writes a member's roles and tells of the change.
func (a *App) giveRoles(ctx context.Context, tx *pg.Tx, member domain.Membership, roleIDs []string) error {
	before := member.RoleIDs
	member.RoleIDs = roleIDs
	member.Revision++
	if err := store.UpdateMember(ctx, tx, member); err != nil {
		return err
	}
	tx.AfterCommit(func() { a.DropAccess(member.OrganizationID, member.UserID) })
	return a.tellMemberRolesChanged(ctx, tx, member, before)
}

// GetTransferMail reads what the mail of an offer says. The caller is a service, so the organization comes from the
// request. pending is whether there is still something to accept.
func (a *App) GetTransferMail(ctx context.Context, organizationID, transferID id.ID) (mail store.TransferMail, pending bool, err error) {
	mail, err = store.GetTransferMail(ctx, a.DB.Point(pg.Scope{OrganizationID: organizationID}), organizationID, transferID)
	if errors.Is(err, errs.ErrNotFound) {
		return store.TransferMail{}, false, nil
	}
	return mail, err == nil && a.Clock.Now().Before(mail.Transfer.ExpiresAt), err
}

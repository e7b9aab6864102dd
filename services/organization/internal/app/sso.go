package app

import (
	"context"
	"errors"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// KeepSSORequirement takes over from identity whether an organization's connection is required. It is a change of who may do
// what, so every process hears of it as of those: whoever has to sign in by the connection, and came another way, is refused
// from their next request on. It is for the worker role.
func (a *App) KeepSSORequirement(ctx context.Context, tx *pg.Tx, organizationID, connectionID id.ID, required bool) error {
	// The organization's row is locked first, as by every change of who may do what.
	revision, err := store.RaiseAccess(ctx, tx, organizationID)
	if errors.Is(err, errs.ErrNotFound) {
		return nil // It is gone, and its connection with it.
	}
	if err != nil {
		return err
	}
	keep, told := store.DropSSORequirement, ""
	if required {
		keep, told = store.KeepSSORequirement, connectionID.String()
	}
	changed, err := keep(ctx, tx, organizationID, connectionID)
	if err != nil || !changed {
		return err
	}
	return a.tellSSORequirement(ctx, tx, organizationID, told, revision)
}

// recheckSSO has everybody look again whether a person has to sign in by a connection: their address is another perhaps.
func (a *App) recheckSSO(ctx context.Context, tx *pg.Tx, userID id.ID) error {
	organizations, err := store.FindRequiring(ctx, tx, userID)
	if err != nil {
		return err
	}
	for _, organizationID := range organizations {
		tx.AfterCommit(func() { a.DropAccess(organizationID, userID) })
		fact := &organizationv1.MemberAddressChanged{OrganizationId: organizationID.String(), UserId: userID.String()}
		if err := a.tell(ctx, tx, organizationID, "member/"+userID.String(), fact); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) tellSSORequirement(ctx context.Context, tx *pg.Tx, organizationID id.ID, connectionID string, revision int64) error {
	tx.AfterCommit(func() { a.DropOrganization(organizationID) })
	return a.tell(ctx, tx, organizationID, "sso_requirement/"+organizationID.String(), &organizationv1.SsoRequirementUpdated{
		OrganizationId: organizationID.String(), SsoConnectionId: connectionID, AccessRevision: revision,
	})
}

// TellOfBypass has all owners told that one of them signed in past the required connection. It is for the worker role.
func (a *App) TellOfBypass(ctx context.Context, tx *pg.Tx, organizationID, userID id.ID) error {
	owners, err := store.FindOwners(ctx, tx, organizationID, toldOwners)
	if err != nil || len(owners) == 0 {
		return err
	}
	told := &organizationv1.SsoRequirementBypassed{OrganizationId: organizationID.String(), UserId: userID.String()}
	for _, owner := range owners {
		told.OwnerIds = append(told.OwnerIds, owner.String())
	}
	return a.tell(ctx, tx, organizationID, "sso_requirement/"+organizationID.String(), told)
}

// ActiveOwners returns the owners of an organization who are to hear of something, and what it is called. The caller is a
// service, so the organization comes from the request.
func (a *App) ActiveOwners(ctx context.Context, organizationID id.ID) (owners []id.ID, name string, err error) {
	err = a.DB.InTx(ctx, pg.Scope{OrganizationID: organizationID}, func(ctx context.Context, tx *pg.Tx) error {
		organization, err := store.GetOrganization(ctx, tx, organizationID)
		if err != nil {
			return err
		}
		name = organization.DisplayName
		owners, err = store.ActiveOwners(ctx, tx, organizationID, toldOwners)
		return err
	})
	if errors.Is(err, errs.ErrNotFound) {
		return nil, "", nil
	}
	return owners, name, err
}

// toldOwners are the ids of the owners who are mailed about what is being done to their organization.
func (a *App) toldOwners(ctx context.Context, tx *pg.Tx, organizationID id.ID) ([]string, error) {
	owners, err := store.ActiveOwners(ctx, tx, organizationID, toldOwners)
	told := make([]string, 0, len(owners))
	for _, owner := range owners {
		told = append(told, owner.String())
	}
	return told, err
}

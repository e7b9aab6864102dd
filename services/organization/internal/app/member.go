package app

import (
	"context"
	"slices"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// ListMembers returns a page of an organization's members and the token of the next one.
func (a *App) ListMembers(ctx context.Context, organizationID id.ID, request list.Request) (string, []domain.Membership, error) {
	request.Binding = []string{organizationID.String()}
	query, err := store.Members.Parse(request)
	if err != nil {
		return "", nil, err
	}
	return store.ListMembers(ctx, a.DB.Read(pg.ScopeOf(ctx)), organizationID, query)
}

// UpdateMember replaces a member's roles; nil roles change nothing, and so do those the member has.
func (a *App) UpdateMember(ctx context.Context, tx *pg.Tx, organizationID, userID id.ID, roleIDs []string, etag string) (domain.Membership, error) {
	if err := a.Roles.CheckKnown("member.roleIds", roleIDs...); err != nil {
		return domain.Membership{}, err
	}
	standing, err := a.lockStanding(ctx, tx, organizationID, userID)
	if err != nil {
		return domain.Membership{}, err
	}
	updated := standing.Target
	if roleIDs != nil {
		updated.RoleIDs = a.Roles.Sort(roleIDs)
	}
	if err := a.Roles.CheckChange(domain.Change{
		Actor: standing.ActorRoleIDs, Before: standing.Target.RoleIDs, After: updated.RoleIDs, Owners: standing.OtherOwners + 1,
	}); err != nil {
		return domain.Membership{}, err
	}
	if err := domain.CheckEtag(etag, standing.Target.Revision); err != nil {
		return domain.Membership{}, err
	}
	if slices.Equal(updated.RoleIDs, standing.Target.RoleIDs) {
		return updated, nil
	}
	updated.Revision++
	if err := store.UpdateMember(ctx, tx, updated); err != nil {
		return domain.Membership{}, err
	}
	tx.AfterCommit(func() { a.DropAccess(organizationID, userID) })
	return updated, a.tellMemberRolesChanged(ctx, tx, updated, standing.Target.RoleIDs)
}

// RemoveMember takes a member out of the organization.
func (a *App) RemoveMember(ctx context.Context, tx *pg.Tx, organizationID, userID id.ID) error {
	standing, err := a.lockStanding(ctx, tx, organizationID, userID)
	if err != nil {
		return err
	}
	if err := a.Roles.CheckChange(domain.Change{
		Actor: standing.ActorRoleIDs, Before: standing.Target.RoleIDs, Owners: standing.OtherOwners + 1,
		Leaving: call.From(ctx).Actor.UserID == userID,
	}); err != nil {
		return err
	}
	if err := store.DeleteMember(ctx, tx, organizationID, userID); err != nil {
		return err
	}
	tx.AfterCommit(func() { a.DropAccess(organizationID, userID) })
	return a.tellMemberRemoved(ctx, tx, standing.Target)
}

// lockStanding reads what decides about a change of a member. A caller who was removed since the chain let the request
// through has nothing to see here.
func (a *App) lockStanding(ctx context.Context, tx *pg.Tx, organizationID, userID id.ID) (store.Standing, error) {
	standing, err := store.LockStanding(ctx, tx, organizationID, call.From(ctx).Actor.UserID, userID)
	switch {
	case err != nil:
	case len(standing.ActorRoleIDs) == 0:
		err = errs.ErrNotFound
	case standing.ActorSuspended:
		err = domain.ErrMemberSuspended
	}
	return standing, err
}

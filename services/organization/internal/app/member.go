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
	actor, standing, err := a.lockStanding(ctx, tx, organizationID, userID, domain.UpdateMemberPermission)
	if err != nil {
		return domain.Membership{}, err
	}
	if err := a.checkRoles(&actor, "member.roleIds", roleIDs...); err != nil {
		return domain.Membership{}, err
	}
	updated := standing.Target
	updated.AccessRevision = actor.catalog.AccessRevision
	if roleIDs != nil {
		updated.RoleIDs = a.Roles.Sort(roleIDs)
	}
	change := domain.Change{Before: standing.Target.RoleIDs, After: updated.RoleIDs, Owners: standing.OtherOwners + 1}
	if err := change.Check(func(roleID string) error { return a.coversRole(&actor, roleID) }); err != nil {
		return domain.Membership{}, err
	}
	if err := a.mayDeny(ctx, tx, organizationID, &actor, actor.graph, change.Given(), userID); err != nil {
		return domain.Membership{}, err
	}
	if err := a.mayOwn(ctx, tx, organizationID, userID, updated.RoleIDs); err != nil {
		return domain.Membership{}, err
	}
	if err := domain.CheckEtag(etag, standing.Target.Revision); err != nil {
		return domain.Membership{}, err
	}
	if slices.Equal(updated.RoleIDs, standing.Target.RoleIDs) {
		return updated, nil
	}
	updated.Revision++
	if updated.AccessRevision, err = a.raise(ctx, tx, organizationID, actor.catalog, false); err != nil {
		return domain.Membership{}, err
	}
	if err := store.UpdateMember(ctx, tx, updated); err != nil {
		return domain.Membership{}, err
	}
	tx.AfterCommit(func() { a.DropAccess(organizationID, userID) })
	return updated, a.tellMemberRolesChanged(ctx, tx, updated, standing.Target.RoleIDs)
}

// checkRoles refuses ids that name no role. field is how the caller spells the field that holds them.
func (a *App) checkRoles(actor *holder, field string, roleIDs ...string) error {
	for _, roleID := range roleIDs {
		if !a.hasRole(actor, roleID) {
			return domain.ErrRoleUnknown.WithViolation(errs.Violation{Field: field, Rule: "role.unknown", Message: "names no role of the organization"})
		}
	}
	return nil
}

// RemoveMember takes a member out of the organization, with all that they have there, and returns the access revision
// that holds it.
func (a *App) RemoveMember(ctx context.Context, tx *pg.Tx, organizationID, userID id.ID) (int64, error) {
	leaving := call.From(ctx).Actor.UserID == userID
	actor, err := a.lockAccess(ctx, tx, organizationID)
	if err == nil && !leaving {
		err = actor.Check(ctx, domain.RemoveMemberPermission, a.Clock.Now())
	}
	if err != nil {
		return 0, err
	}
	standing, err := store.ReadStanding(ctx, tx, organizationID, userID)
	if err != nil {
		return 0, err
	}
	change := domain.Change{Before: standing.Target.RoleIDs, Owners: standing.OtherOwners + 1, Leaving: leaving}
	if err := change.Check(func(roleID string) error { return a.coversRole(&actor, roleID) }); err != nil {
		return 0, err
	}
	revision, err := a.raise(ctx, tx, organizationID, actor.catalog, false)
	if err != nil {
		return 0, err
	}
	if err := a.removeAssignments(ctx, tx, organizationID, userID, revision); err != nil {
		return 0, err
	}
	if err := store.DeleteMember(ctx, tx, organizationID, userID); err != nil {
		return 0, err
	}
	// Who leaves may come back as they came, unless that would end their suspension.
	if !leaving || standing.Target.Suspended() {
		if err := store.KeepRemoval(ctx, tx, organizationID, userID, a.Clock.Now()); err != nil {
			return 0, err
		}
	}
	tx.AfterCommit(func() { a.DropAccess(organizationID, userID) })
	return revision, a.tellMemberRemoved(ctx, tx, standing.Target)
}

// lockStanding begins a change of a member. The permission that it takes is looked at again under the lock, or who was
// demoted a moment ago would still remove somebody; the empty one is for members.
func (a *App) lockStanding(ctx context.Context, tx *pg.Tx, organizationID, userID id.ID, permission string) (holder, store.Standing, error) {
	actor, err := a.lockAccess(ctx, tx, organizationID)
	if err != nil {
		return holder{}, store.Standing{}, err
	}
	if err := actor.Check(ctx, permission, a.Clock.Now()); err != nil {
		return holder{}, store.Standing{}, err
	}
	standing, err := store.ReadStanding(ctx, tx, organizationID, userID)
	return actor, standing, err
}

package app

import (
	"context"

	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// Access is the answer to whether somebody may do something.
type Access struct {
	Allowed bool
	// Reason is "role:<id>" of the least role that allows it, or why not.
	Reason string
}

// CheckAccess says whether a user holds a permission, by the rules that requests are let through: what this process
// remembers counts as long as it is fresh and grants it, and a no is always the database's.
func (a *App) CheckAccess(ctx context.Context, organizationID, userID id.ID, permission string) (Access, error) {
	if !a.Roles.Knows(permission) {
		return Access{Reason: "unknown_permission"}, nil
	}
	held, err := a.RecallAccess(ctx, organizationID, userID, permission, a.readPermissions)
	if err != nil {
		return Access{}, err
	}
	return a.explain(held.RoleIDs, permission), nil
}

// ListRoles returns a page of the roles and the token of the next one. All organizations have the same.
func (a *App) ListRoles(ctx context.Context, organizationID id.ID, request list.Request) (string, []domain.Role, error) {
	request.Binding = []string{organizationID.String()}
	query, err := store.RoleList.Parse(request)
	if err != nil {
		return "", nil, err
	}
	return store.ListRoles(ctx, a.DB.Read(pg.ScopeOf(ctx)), a.Roles.List(), query)
}

// readPermissions is GetEffectivePermissions in the form in which it is remembered.
func (a *App) readPermissions(ctx context.Context, organizationID, userID id.ID) (authz.Permissions, error) {
	roleIDs, permissions, err := a.GetEffectivePermissions(ctx, organizationID, userID)
	if err != nil || len(roleIDs) == 0 {
		return authz.Permissions{}, err
	}
	state, err := a.OrganizationState(ctx, organizationID)
	if err != nil || state == domain.Deleting {
		return authz.Permissions{}, err
	}
	held := authz.NewPermissions(true, roleIDs, permissions)
	held.Frozen = state.Frozen()
	return held, nil
}

func (a *App) explain(roleIDs []string, permission string) Access {
	if holder := a.Roles.Holder(roleIDs, permission); holder != "" {
		return Access{Allowed: true, Reason: "role:" + holder}
	}
	if len(roleIDs) == 0 {
		return Access{Reason: "not_a_member"}
	}
	return Access{Reason: "no_role_with_permission"}
}

// GetEffectivePermissions returns a user's roles in an organization and all that they permit, sorted; no roles are no
// membership. Other services ask it too, so the organization comes from the request. Nothing is remembered here: the
// callers keep copies and are told of changes.
func (a *App) GetEffectivePermissions(ctx context.Context, organizationID, userID id.ID) (roleIDs, permissions []string, err error) {
	scope := pg.Scope{OrganizationID: organizationID}
	if roleIDs, err = store.Roles(ctx, a.DB.Point(scope), organizationID, userID); err != nil {
		return nil, nil, err
	}
	return roleIDs, a.Roles.Permissions(roleIDs), nil
}

// OrganizationState returns what can be done with an organization, for whoever may do something in it. One that is not
// there is being deleted, as far as they are concerned.
func (a *App) OrganizationState(ctx context.Context, organizationID id.ID) (domain.OrganizationState, error) {
	return store.OrganizationState(ctx, a.DB.Point(pg.Scope{OrganizationID: organizationID}), organizationID)
}

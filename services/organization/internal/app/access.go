package app

import (
	"context"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// Access is the answer to whether somebody may do something.
type Access struct {
	Allowed bool
	// Reason is "role:<id>" of the least role that allows it, or why not.
	Reason string
}

// CheckAccess says whether a user holds a permission. It reads the database itself: whoever asks wants to know what
// holds, not what this process remembers.
func (a *App) CheckAccess(ctx context.Context, organizationID, userID id.ID, permission string) (Access, error) {
	roleIDs, err := store.Roles(ctx, a.DB.Point(pg.ScopeOf(ctx)), organizationID, userID)
	if err != nil {
		return Access{}, err
	}
	return a.explain(roleIDs, permission), nil
}

func (a *App) explain(roleIDs []string, permission string) Access {
	holder := a.Roles.Holder(roleIDs, permission)
	switch {
	case holder != "":
		return Access{Allowed: true, Reason: "role:" + holder}
	case !a.Roles.Knows(permission):
		return Access{Reason: "unknown_permission"}
	case len(roleIDs) == 0:
		return Access{Reason: "not_a_member"}
	default:
		return Access{Reason: "no_role_with_permission"}
	}
}

// GetEffectivePermissions returns all that a user may do in an organization, sorted. The caller is a service, so the
// organization comes from the request. Nothing is remembered here: the callers keep copies and are told of changes.
func (a *App) GetEffectivePermissions(ctx context.Context, organizationID, userID id.ID) (member bool, permissions []string, err error) {
	scope := pg.Scope{OrganizationID: organizationID}
	roleIDs, err := store.Roles(ctx, a.DB.Point(scope), organizationID, userID)
	if err != nil {
		return false, nil, err
	}
	return len(roleIDs) > 0, a.Roles.Permissions(roleIDs), nil
}

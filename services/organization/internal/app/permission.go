package app

import (
	"context"
	"strconv"
	"strings"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// ListPermissions returns a page of the permissions, and the token of the next one.
func (a *App) ListPermissions(ctx context.Context, organizationID id.ID, request list.Request) (string, []domain.Permission, error) {
	request.Binding = []string{organizationID.String()}
	query, err := store.Permissions.Parse(request)
	if err != nil {
		return "", nil, err
	}
	return store.ListPermissions(ctx, a.DB.Read(pg.ScopeOf(ctx)), organizationID, a.Roles.Permissions([]string{domain.Owner}), query)
}

// CreatePermission adds a permission to those of the contract. The owners hold it from then on.
func (a *App) CreatePermission(ctx context.Context, tx *pg.Tx, organizationID id.ID, name, description string) (domain.Permission, error) {
	if err := domain.CheckPermissionName("name", name); err != nil {
		return domain.Permission{}, err
	}
	actor, err := a.lockAccessAsMember(ctx, tx, organizationID)
	if err != nil {
		return domain.Permission{}, err
	}
	if len(actor.catalog.Permissions) >= domain.MaxPermissions {
		return domain.Permission{}, domain.ErrPermissionLimit.With("limit", strconv.Itoa(domain.MaxPermissions))
	}
	created := domain.Permission{Name: name, Description: description, CreatedAt: a.Clock.Now()}
	if err := store.InsertPermission(ctx, tx, organizationID, created); err != nil {
		return domain.Permission{}, err
	}
	if created.AccessRevision, err = a.raise(ctx, tx, organizationID, actor.catalog, true); err != nil {
		return domain.Permission{}, err
	}
	tx.AfterCommit(func() { a.DropOrganization(organizationID) })
	return created, a.tellPermissionCreated(ctx, tx, organizationID, created)
}

// lockPermission begins a change of a permission of the organization's own.
func (a *App) lockPermission(ctx context.Context, tx *pg.Tx, organizationID id.ID, name string) (holder, domain.Permission, error) {
	if a.Roles.Knows(name) {
		return holder{}, domain.Permission{}, domain.ErrPermissionReserved.WithViolation(errs.Violation{
			Field: "permissionName", Rule: "permission.reserved", Message: "names a permission of Braid's own, which can't be changed",
		})
	}
	actor, err := a.lockAccessAsMember(ctx, tx, organizationID)
	if err != nil {
		return holder{}, domain.Permission{}, err
	}
	current, err := store.GetPermission(ctx, tx, organizationID, name)
	return actor, current, err
}

// UpdatePermission changes what is said of a permission; nil changes nothing. Nobody's access depends on that.
func (a *App) UpdatePermission(ctx context.Context, tx *pg.Tx, organizationID id.ID, name string, description *string) (domain.Permission, error) {
	actor, current, err := a.lockPermission(ctx, tx, organizationID, name)
	if err != nil {
		return domain.Permission{}, err
	}
	current.AccessRevision = actor.catalog.AccessRevision
	if description == nil || *description == current.Description {
		return current, nil
	}
	current.Description = *description
	if err := store.UpdatePermission(ctx, tx, organizationID, current); err != nil {
		return domain.Permission{}, err
	}
	return current, a.tellPermissionUpdated(ctx, tx, organizationID, current)
}

// DeletePermission removes a permission that no role names, and returns the access revision that holds it.
func (a *App) DeletePermission(ctx context.Context, tx *pg.Tx, organizationID id.ID, name string) (int64, error) {
	actor, current, err := a.lockPermission(ctx, tx, organizationID, name)
	if err != nil {
		return 0, err
	}
	var naming []string
	for _, role := range actor.catalog.Roles {
		if role.Mentions(current.Name) {
			naming = append(naming, role.ID)
		}
	}
	if len(naming) > 0 {
		return 0, domain.ErrPermissionInUse.With("roleIds", strings.Join(shortened(naming), ",")).With("roleCount", strconv.Itoa(len(naming)))
	}
	revision, err := a.raise(ctx, tx, organizationID, actor.catalog, true)
	if err != nil {
		return 0, err
	}
	if err := store.DeletePermission(ctx, tx, organizationID, current.Name); err != nil {
		return 0, err
	}
	tx.AfterCommit(func() { a.DropOrganization(organizationID) })
	return revision, a.tellPermissionDeleted(ctx, tx, organizationID, current.Name, revision)
}

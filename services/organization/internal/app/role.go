package app

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// ListRoles returns a page of the roles and the token of the next one: the system roles, which all organizations have,
// and the organization's own.
func (a *App) ListRoles(ctx context.Context, organizationID id.ID, request list.Request) (string, []domain.Role, error) {
	request.Binding = []string{organizationID.String()}
	query, err := store.RoleList.Parse(request)
	if err != nil {
		return "", nil, err
	}
	return store.ListRoles(ctx, a.DB.Read(pg.ScopeOf(ctx)), organizationID, a.Roles.List(), query)
}

// GetRole returns a role.
func (a *App) GetRole(ctx context.Context, organizationID id.ID, roleID string) (domain.Role, error) {
	if system, ok := a.Roles.Get(roleID); ok {
		return system, nil
	}
	return store.GetRole(ctx, a.DB.Point(pg.ScopeOf(ctx)), organizationID, id.ParseOrZero(roleID))
}

// CreateRole makes a role of the organization's own.
func (a *App) CreateRole(ctx context.Context, tx *pg.Tx, organizationID id.ID, content domain.RoleContent) (domain.Role, error) {
	content, err := content.Normalize("")
	if err != nil {
		return domain.Role{}, err
	}
	actor, err := a.lockAccessAsMember(ctx, tx, organizationID)
	if err != nil {
		return domain.Role{}, err
	}
	if len(actor.catalog.Roles) >= domain.MaxRoles {
		return domain.Role{}, domain.ErrRoleLimit.With("limit", strconv.Itoa(domain.MaxRoles))
	}
	now := a.Clock.Now()
	created := domain.Role{ID: id.New().String(), RoleContent: content, Version: 1, CreatedAt: now, UpdatedAt: now}
	if err := a.checkContent(ctx, tx, organizationID, &actor, "", domain.RoleContent{}, created); err != nil {
		return domain.Role{}, err
	}
	if created.AccessRevision, err = a.raise(ctx, tx, organizationID, actor.catalog, true); err != nil {
		return domain.Role{}, err
	}
	if err := store.InsertRole(ctx, tx, organizationID, created, actor.subjectID); err != nil {
		return domain.Role{}, err
	}
	tx.AfterCommit(func() { a.DropOrganization(organizationID) })
	return created, a.tellRoleCreated(ctx, tx, organizationID, created)
}

// changedRole begins the fields of a request that changes a role.
const changedRole = "role."

// RoleChange changes some of what an organization says of a role.
type RoleChange func(content *domain.RoleContent)

// UpdateRole changes a role for all who have it. A change that changes nothing is no change, and no version.
func (a *App) UpdateRole(ctx context.Context, tx *pg.Tx, organizationID id.ID, roleID, etag string, change RoleChange) (domain.Role, error) {
	return a.changeRole(ctx, tx, organizationID, roleID, etag, func(current domain.Role) (domain.RoleContent, error) {
		content := current.RoleContent
		change(&content)
		return content.Normalize(changedRole)
	})
}

// RestoreRole makes a role what it was, by the rules of any other change.
func (a *App) RestoreRole(ctx context.Context, tx *pg.Tx, organizationID id.ID, roleID string, version int32, etag string) (domain.Role, error) {
	return a.changeRole(ctx, tx, organizationID, roleID, etag, func(domain.Role) (domain.RoleContent, error) {
		return store.GetRoleVersion(ctx, tx, organizationID, id.ParseOrZero(roleID), version)
	})
}

func (a *App) changeRole(ctx context.Context, tx *pg.Tx, organizationID id.ID, roleID, etag string, change func(domain.Role) (domain.RoleContent, error)) (domain.Role, error) {
	if a.Roles.Has(roleID) {
		return domain.Role{}, domain.ErrRoleFixed.With("roleId", roleID)
	}
	actor, err := a.lockAccessAsMember(ctx, tx, organizationID)
	if err != nil {
		return domain.Role{}, err
	}
	current, err := store.GetRole(ctx, tx, organizationID, id.ParseOrZero(roleID))
	if err != nil {
		return domain.Role{}, err
	}
	if err := domain.CheckEtag(etag, int64(current.Version)); err != nil {
		return domain.Role{}, err
	}
	changed := current
	if changed.RoleContent, err = change(current); err != nil {
		return domain.Role{}, err
	}
	if changed.Equal(current.RoleContent) {
		current.AccessRevision = actor.catalog.AccessRevision
		return current, nil
	}
	if err := a.checkContent(ctx, tx, organizationID, &actor, changedRole, current.RoleContent, changed); err != nil {
		return domain.Role{}, err
	}
	changed.Version++
	changed.UpdatedAt = a.Clock.Now()
	if changed.AccessRevision, err = a.raise(ctx, tx, organizationID, actor.catalog, true); err != nil {
		return domain.Role{}, err
	}
	if err := store.UpdateRole(ctx, tx, organizationID, changed, actor.subjectID); err != nil {
		return domain.Role{}, err
	}
	tx.AfterCommit(func() { a.DropOrganization(organizationID) })
	return changed, a.tellRoleUpdated(ctx, tx, organizationID, changed)
}

// checkContent refuses a role that names what is not there, whose inheritance makes no sense among the other roles, or
// by which somebody would get or lose what the actor doesn't hold in the whole organization.
func (a *App) checkContent(ctx context.Context, tx *pg.Tx, organizationID id.ID, actor *holder, prefix string, before domain.RoleContent, after domain.Role) error {
	err := after.CheckKnown(prefix,
		func(permission string) bool { return a.hasPermission(actor, permission) },
		func(roleID string) bool { return roleID == after.ID || a.hasRole(actor, roleID) },
	)
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(slices.Clone(actor.catalog.Roles), func(role domain.Role) bool { return role.ID == after.ID })
	roles := append(others, after)
	compiled, err := a.compile(roles, actor.catalog.Permissions)
	if err != nil {
		return graphRefusal(err, prefix, after)
	}
	touched := domain.Touched(before, after.RoleContent, func(roleID string) []string {
		permissions, _ := compiled.Permissions(roleID)
		return slices.Concat(permissions.Allow, permissions.AllowConditionally, permissions.Deny, permissions.DenyConditionally)
	})
	if len(touched) == 0 {
		return nil
	}
	whole := domain.Assignment{Scope: domain.Scope{Type: domain.InOrganization}}
	if err := a.coversPermissions(actor, touched, whole); err != nil {
		return err
	}
	return a.mayDeny(ctx, tx, organizationID, actor, compiled, domain.Heirs(roles, after.ID))
}

// graphRefusal says what the evaluator has against a role in this service's words.
func graphRefusal(err error, prefix string, of domain.Role) error {
	known := errs.From(err)
	switch known.Reason {
	case access.ErrRoleCycle.Reason:
		return domain.ErrRoleCycle.With("cycle", known.Metadata["cycle"])
	case access.ErrRoleTooDeep.Reason:
		return domain.ErrRoleTooDeep.With("path", known.Metadata["path"])
	case access.ErrRoleTooComplex.Reason:
		return domain.ErrRoleTooComplex.With("roleId", known.Metadata["role"])
	case access.ErrConditionInvalid.Reason:
		place := slices.IndexFunc(of.Parents, func(parent domain.Parent) bool { return parent.RoleID == known.Metadata["parent"] })
		return conditionRefusal(err, domain.ParentField(prefix, place)+".condition")
	default:
		return err
	}
}

// conditionRefusal names the field whose condition can't be used.
func conditionRefusal(err error, field string) error {
	known := errs.From(err)
	refused := domain.ErrConditionInvalid.WithViolation(errs.Violation{Field: field, Rule: "cel", Message: known.Message})
	for _, key := range []string{"line", "column", "position"} {
		refused = refused.With(key, known.Metadata[key])
	}
	return refused
}

// DeleteRole removes a role that nobody has, nothing inherits from and no invitation gives, and returns the access
// revision that holds it.
func (a *App) DeleteRole(ctx context.Context, tx *pg.Tx, organizationID id.ID, roleID string) (int64, error) {
	if a.Roles.Has(roleID) {
		return 0, domain.ErrRoleFixed.With("roleId", roleID)
	}
	actor, err := a.lockAccessAsMember(ctx, tx, organizationID)
	if err != nil {
		return 0, err
	}
	current, err := store.GetRole(ctx, tx, organizationID, id.ParseOrZero(roleID))
	if err != nil {
		return 0, err
	}
	use, err := store.ReadRoleUse(ctx, tx, organizationID, current.ID, a.Clock.Now())
	if err != nil {
		return 0, err
	}
	if err := checkUnused(use, domain.Children(actor.catalog.Roles, current.ID)); err != nil {
		return 0, err
	}
	revision, err := a.raise(ctx, tx, organizationID, actor.catalog, true)
	if err != nil {
		return 0, err
	}
	if err := store.DeleteRole(ctx, tx, organizationID, id.ParseOrZero(current.ID)); err != nil {
		return 0, err
	}
	tx.AfterCommit(func() { a.DropOrganization(organizationID) })
	return revision, a.tellRoleDeleted(ctx, tx, organizationID, current.ID, revision)
}

// checkUnused refuses to remove a role that is in use, and says where.
func checkUnused(use store.RoleUse, children []string) error {
	places := map[string]string{
		"roleIds": strings.Join(shortened(children), ","), "assignmentIds": joinIDs(use.AssignmentIDs), "invitationIds": joinIDs(use.InvitationIDs),
		"invitationLinkIds": joinIDs(use.InvitationLinkIDs), "domainIds": joinIDs(use.DomainIDs),
	}
	if use.Members > 0 {
		places["memberCount"] = strconv.FormatInt(use.Members, 10)
	}
	refused := domain.ErrRoleInUse
	for place, where := range places {
		if where != "" {
			refused = refused.With(place, where)
		}
	}
	if len(refused.Metadata) == 0 {
		return nil
	}
	return refused
}

// shownUses bounds what an error tells of where something is in use.
const shownUses = 10

func shortened(ids []string) []string { return ids[:min(len(ids), shownUses)] }

func joinIDs(ids []id.ID) string {
	texts := make([]string, 0, len(ids))
	for _, one := range ids {
		texts = append(texts, one.String())
	}
	return strings.Join(texts, ",")
}

// ListRoleVersions returns a page of what a role was, and the token of the next one. A system role never changed.
func (a *App) ListRoleVersions(ctx context.Context, organizationID id.ID, roleID string, request list.Request) (string, []domain.RoleVersion, error) {
	request.Binding = []string{organizationID.String(), roleID}
	query, err := store.RoleVersions.Parse(request)
	if err != nil {
		return "", nil, err
	}
	if _, err := a.GetRole(ctx, organizationID, roleID); err != nil || a.Roles.Has(roleID) {
		return "", nil, err
	}
	return store.ListRoleVersions(ctx, a.DB.Read(pg.ScopeOf(ctx)), organizationID, id.ParseOrZero(roleID), query)
}

package domain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/braidhq/braid/platform/errs"
)

// The ids of the system roles. A system role's id is its name.
const (
	Guest  = "guest"
	Viewer = "viewer"
	Member = "member"
	Admin  = "admin"
	Owner  = "owner"
)

// invitePermission is that of sending invitations, for the first time and again.
const invitePermission = "organization.invitation.create"

// systemRoles are the system roles, the least first: each holds all that the ones before it hold.
var systemRoles = []Role{
	{ID: Guest, DisplayName: "Guest", Description: "Sees nothing but the organization's name and what is assigned to them."},
	{ID: Viewer, DisplayName: "Viewer", Description: "Sees everything in the organization and changes nothing."},
	{ID: Member, DisplayName: "Member", Description: "Works on projects and tasks."},
	{ID: Admin, DisplayName: "Admin", Description: "Manages the organization, its members and its projects."},
	{ID: Owner, DisplayName: "Owner", Description: "May do everything, and decides who else is an owner."},
}

// Role is a named set of permissions.
type Role struct {
	ID          string
	DisplayName string
	Description string
	// Permissions are sorted.
	Permissions []string
}

// Roles are all roles and what they permit. They do not change while the process runs.
type Roles struct {
	list []Role
	// least is the rank of the least role that holds a permission.
	least map[string]int
}

// NewRoles gives each system role its permissions. least names, for each permission of the contract, the least role
// that holds it.
func NewRoles(least map[string]string) (*Roles, error) {
	roles := &Roles{list: slices.Clone(systemRoles), least: make(map[string]int, len(least))}
	for permission, role := range least {
		lowest := roles.rank(role)
		if lowest < 0 {
			return nil, fmt.Errorf("the permission %s is given to %q, which is no role", permission, role)
		}
		roles.least[permission] = lowest
		for rank := lowest; rank < len(roles.list); rank++ {
			roles.list[rank].Permissions = append(roles.list[rank].Permissions, permission)
		}
	}
	for i := range roles.list {
		slices.Sort(roles.list[i].Permissions)
	}
	return roles, nil
}

// List returns the roles, the least first. The caller must not change them.
func (r *Roles) List() []Role { return r.list }

func (r *Roles) rank(roleID string) int {
	return slices.IndexFunc(r.list, func(role Role) bool { return role.ID == roleID })
}

// highest returns the rank of the greatest of the roles, -1 for none.
func (r *Roles) highest(roleIDs []string) int {
	highest := -1
	for _, roleID := range roleIDs {
		highest = max(highest, r.rank(roleID))
	}
	return highest
}

// Permissions returns all that the roles permit together, sorted. The caller must not change it.
func (r *Roles) Permissions(roleIDs []string) []string {
	if highest := r.highest(roleIDs); highest >= 0 {
		return r.list[highest].Permissions
	}
	return nil
}

// Knows reports whether any role holds the permission.
func (r *Roles) Knows(permission string) bool {
	_, ok := r.least[permission]
	return ok
}

// Holder returns the least of the roles that holds the permission, "" when none does.
func (r *Roles) Holder(roleIDs []string, permission string) string {
	least, ok := r.least[permission]
	if !ok {
		return ""
	}
	for _, role := range r.list[least:] {
		if slices.Contains(roleIDs, role.ID) {
			return role.ID
		}
	}
	return ""
}

// CheckKnown refuses ids that name no role. field is how the caller spells the field that holds them.
func (r *Roles) CheckKnown(field string, roleIDs ...string) error {
	for _, roleID := range roleIDs {
		if r.rank(roleID) < 0 {
			return ErrRoleUnknown.WithViolation(errs.Violation{Field: field, Rule: "role.unknown", Message: "names no role of the organization"})
		}
	}
	return nil
}

// CheckGrant refuses to one with the roles of actor to give the role, because it is above all of them.
func (r *Roles) CheckGrant(actor []string, roleID string) error {
	if r.rank(roleID) > r.highest(actor) {
		return ErrGrantExceedsOwn.With("roleId", roleID)
	}
	return nil
}

// CheckInviter refuses an invitation to the role when whoever sent it, with the roles that they have now, may not send it
// any more.
func (r *Roles) CheckInviter(inviter []string, roleID string) error {
	if r.Holder(inviter, invitePermission) == "" || r.CheckGrant(inviter, roleID) != nil {
		return ErrInviterLacksRole
	}
	return nil
}

// Change is what is about to happen to one member's roles.
type Change struct {
	// Actor holds the roles of who changes them, Before and After those of the member; After is empty when the member
	// goes.
	Actor, Before, After []string
	// Leaving says that the member takes themselves out, which nobody's rank forbids.
	Leaving bool
	// Owners counts the organization's owners before the change.
	Owners int
}

// CheckChange says whether a change may happen: no role above the actor's own is given or taken away, and an owner
// stays.
func (r *Roles) CheckChange(change Change) error {
	if !change.Leaving {
		for _, roleID := range difference(change.Before, change.After) {
			if err := r.CheckGrant(change.Actor, roleID); err != nil {
				return err
			}
		}
	}
	if slices.Contains(change.Before, Owner) && !slices.Contains(change.After, Owner) && change.Owners <= 1 {
		return ErrLastOwner.With("roleIds", strings.Join(change.Before, ","))
	}
	return nil
}

// difference lists what is in one of two sets only.
func difference(before, after []string) []string {
	var changed []string
	for _, roleID := range before {
		if !slices.Contains(after, roleID) {
			changed = append(changed, roleID)
		}
	}
	for _, roleID := range after {
		if !slices.Contains(before, roleID) {
			changed = append(changed, roleID)
		}
	}
	return changed
}

// Sort returns the ids in the order of the roles, the least first, so that equal sets are written the same.
func (r *Roles) Sort(roleIDs []string) []string {
	sorted := slices.Clone(roleIDs)
	slices.SortFunc(sorted, func(a, b string) int { return r.rank(a) - r.rank(b) })
	return slices.Compact(sorted)
}

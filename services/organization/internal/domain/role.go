package domain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The ids of the system roles. A system role's id is its name.
const (
	Guest  = "guest"
	Viewer = "viewer"
	Member = "member"
	Admin  = "admin"
	Owner  = "owner"
)

// Permissions that use cases look at again under their lock. That to invite is for the first time and again.
const (
	InvitePermission            = "organization.invitation.create"
	UpdateMemberPermission      = "organization.member.update"
	RemoveMemberPermission      = "organization.member.remove"
	SuspendMemberPermission     = "organization.member.suspend"
	TransferOwnershipPermission = "organization.ownership.transfer"
)

// systemRoles are the system roles, the least first: each holds all that the ones before it hold.
var systemRoles = []Role{
	{ID: Guest, RoleContent: RoleContent{DisplayName: "Guest", Description: "Sees nothing but the organization's name and what is assigned to them."}},
	{ID: Viewer, RoleContent: RoleContent{DisplayName: "Viewer", Description: "Sees everything in the organization and changes nothing."}},
	{ID: Member, RoleContent: RoleContent{DisplayName: "Member", Description: "Works on projects and tasks."}},
	{ID: Admin, RoleContent: RoleContent{DisplayName: "Admin", Description: "Manages the organization, its members and its projects."}},
	{ID: Owner, RoleContent: RoleContent{DisplayName: "Owner", Description: "May do everything, and decides who else is an owner."}},
}

// Role is a named set of permissions: a system role, or one of an organization's own.
type Role struct {
	// ID is a system role's name, or the text of an identifier.
	ID string
	RoleContent
	// Version grows with every change; a system role has none, nor times.
	Version              int32
	CreatedAt, UpdatedAt time.Time
	// AccessRevision is the organization's that holds a change just made.
	AccessRevision int64
}

// System reports whether the role is Braid's own.
func (r Role) System() bool { return r.Version == 0 }

// Roles are the system roles and what they permit. They do not change while the process runs.
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
			roles.list[rank].Allowed = append(roles.list[rank].Allowed, permission)
		}
	}
	for i := range roles.list {
		slices.Sort(roles.list[i].Allowed)
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
		return r.list[highest].Allowed
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

// Get returns a system role.
func (r *Roles) Get(roleID string) (Role, bool) {
	if rank := r.rank(roleID); rank >= 0 {
		return r.list[rank], true
	}
	return Role{}, false
}

// Has reports whether the id is a system role's.
func (r *Roles) Has(roleID string) bool { return r.rank(roleID) >= 0 }

// Change is what is about to happen to one member's roles.
type Change struct {
	// Before and After are those of the member; After is empty when the member goes.
	Before, After []string
	// Leaving says that the member takes themselves out, for which nobody needs to hold anything.
	Leaving bool
	// Owners counts the organization's owners before the change.
	Owners int
}

// Check says whether a change may happen: nothing is given or taken away that covers refuses, because whoever changes
// it does not hold it, and an owner stays.
func (c Change) Check(covers func(roleID string) error) error {
	if !c.Leaving {
		for _, roleID := range difference(c.Before, c.After) {
			if err := covers(roleID); err != nil {
				return err
			}
		}
	}
	if slices.Contains(c.Before, Owner) && !slices.Contains(c.After, Owner) && c.Owners <= 1 {
		return ErrLastOwner.With("roleIds", strings.Join(c.Before, ","))
	}
	return nil
}

// Given lists the roles that the member has after the change and had not before.
func (c Change) Given() []string { return missing(c.Before, c.After) }

// difference lists what is in one of two sets only.
func difference(before, after []string) []string {
	return append(missing(after, before), missing(before, after)...)
}

// Sort returns the ids in the order of the roles, the least first and the organization's own behind them, so that equal
// sets are written the same.
func (r *Roles) Sort(roleIDs []string) []string {
	sorted := slices.Clone(roleIDs)
	place := func(roleID string) int {
		if rank := r.rank(roleID); rank >= 0 {
			return rank
		}
		return len(r.list)
	}
	slices.SortFunc(sorted, func(a, b string) int { return cmp.Or(place(a)-place(b), strings.Compare(a, b)) })
	return slices.Compact(sorted)
}

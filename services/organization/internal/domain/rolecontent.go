package domain

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// MaxRoles is how many roles of its own an organization may have.
const MaxRoles = 200

// Inheritance says how much a role takes from a parent.
type Inheritance string

// The ways to inherit.
const (
	Full        Inheritance = "full"
	Partial     Inheritance = "partial"
	Conditional Inheritance = "conditional"
)

// Parent is a role that another inherits from. It is stored as JSON.
type Parent struct {
	RoleID      string      `json:"role_id"`
	Inheritance Inheritance `json:"mode"`
	// Permissions pass with Partial, Condition must hold with Conditional.
	Permissions []string `json:"permissions,omitempty"`
	Condition   string   `json:"condition,omitempty"`
}

// RoleContent is what an organization says of a role of its own: what a version keeps, as JSON.
type RoleContent struct {
	DisplayName string   `json:"display_name"`
	Description string   `json:"description"`
	Allowed     []string `json:"allowed"`
	Denied      []string `json:"denied"`
	Parents     []Parent `json:"parents"`
}

// Equal reports whether two contents say the same.
func (c RoleContent) Equal(other RoleContent) bool { return len(Differences(c, other)) == 0 }

// Normalize returns the content as it is kept, with permissions sorted, or refuses what makes no sense by itself. prefix
// is what the caller's fields begin with.
func (c RoleContent) Normalize(prefix string) (RoleContent, error) {
	name, err := CheckDisplayName(prefix+"displayName", c.DisplayName)
	if err != nil {
		return RoleContent{}, err
	}
	c.DisplayName = name
	c.Allowed, c.Denied, c.Parents = sorted(c.Allowed), sorted(c.Denied), slices.Clone(c.Parents)
	seen := map[string]bool{}
	for i := range c.Parents {
		parent, field := &c.Parents[i], ParentField(prefix, i)
		parent.Permissions = sorted(parent.Permissions)
		switch {
		case seen[parent.RoleID]:
			return RoleContent{}, errs.Invalid(field+".roleId", "repeated.unique", "is a parent already")
		case (parent.Inheritance == Partial) != (len(parent.Permissions) > 0):
			return RoleContent{}, errs.Invalid(field+".permissions", "parent.permissions", "names what is inherited with PARTIAL, and nothing else has them")
		case (parent.Inheritance == Conditional) != (parent.Condition != ""):
			return RoleContent{}, errs.Invalid(field+".condition", "parent.condition", "says when it is inherited with CONDITIONAL, and nothing else has one")
		}
		seen[parent.RoleID] = true
	}
	return c, nil
}

// CheckKnown refuses permissions and parents that are not there.
func (c RoleContent) CheckKnown(prefix string, permission, role func(string) bool) error {
	for _, listed := range []struct {
		field string
		names []string
	}{{prefix + "permissions", c.Allowed}, {prefix + "deniedPermissions", c.Denied}} {
		if err := checkPermissions(listed.field, listed.names, permission); err != nil {
			return err
		}
	}
	for i, parent := range c.Parents {
		if !role(parent.RoleID) {
			return unknownRole(ParentField(prefix, i) + ".roleId")
		}
		if err := checkPermissions(ParentField(prefix, i)+".permissions", parent.Permissions, permission); err != nil {
			return err
		}
	}
	return nil
}

func checkPermissions(field string, names []string, known func(string) bool) error {
	for _, name := range names {
		if !known(name) {
			return ErrPermissionUnknown.With("permission", name).WithViolation(errs.Violation{
				Field: field, Rule: "permission.unknown", Message: "names " + name + ", which is no permission of the organization",
			})
		}
	}
	return nil
}

func unknownRole(field string) error {
	return ErrRoleUnknown.WithViolation(errs.Violation{Field: field, Rule: "role.unknown", Message: "names no role of the organization"})
}

// ParentField is how the caller spells a parent.
func ParentField(prefix string, i int) string { return prefix + "parents[" + strconv.Itoa(i) + "]" }

// sorted returns the names without doubles; none is empty and not nil, as it is stored.
func sorted(names []string) []string {
	names = append([]string{}, names...)
	slices.Sort(names)
	return slices.Compact(names)
}

// Mentions reports whether the role itself names a permission.
func (c RoleContent) Mentions(permission string) bool {
	return slices.Contains(c.Allowed, permission) || slices.Contains(c.Denied, permission) ||
		slices.ContainsFunc(c.Parents, func(parent Parent) bool { return slices.Contains(parent.Permissions, permission) })
}

// Touched lists all permissions that somebody may get or lose by a change of a role: those that are listed newly or no
// longer, and whatever may come by parents that differ in anything. reach returns all that a parent may allow or deny.
func Touched(before, after RoleContent, reach func(roleID string) []string) []string {
	touched := append(difference(before.Allowed, after.Allowed), difference(before.Denied, after.Denied)...)
	for _, pair := range [][2]RoleContent{{before, after}, {after, before}} {
		for _, parent := range pair[0].Parents {
			if slices.ContainsFunc(pair[1].Parents, func(other Parent) bool { return parent.key() == other.key() }) {
				continue
			}
			if parent.Inheritance == Partial {
				touched = append(touched, parent.Permissions...)
				continue
			}
			touched = append(touched, reach(parent.RoleID)...)
		}
	}
	return sorted(touched)
}

// key is the same text for parents that are the same.
func (p Parent) key() string {
	encoded, _ := json.Marshal(p) // Texts always encode.
	return string(encoded)
}

// Children lists the roles that inherit from a role.
func Children(roles []Role, roleID string) []string {
	var children []string
	for _, role := range roles {
		if slices.ContainsFunc(role.Parents, func(parent Parent) bool { return parent.RoleID == roleID }) {
			children = append(children, role.ID)
		}
	}
	return children
}

// Heirs lists a role and all that inherit from it in any number of steps.
func Heirs(roles []Role, roleID string) []string {
	heirs := []string{roleID}
	for i := 0; i < len(heirs); i++ {
		heirs = append(heirs, missing(heirs, Children(roles, heirs[i]))...)
	}
	return heirs
}

// RoleVersion is what a role was after a change.
type RoleVersion struct {
	RoleID      id.ID
	Version     int32
	Content     RoleContent
	AuthorID    id.ID
	CreatedAt   time.Time
	Differences []Difference
}

// Difference is a field that changed, and how.
type Difference struct {
	Field          string
	Added, Removed []string
}

// Differences lists what differs between two contents, by field.
func Differences(before, after RoleContent) []Difference {
	var found []Difference
	for _, field := range []struct {
		name          string
		before, after []string
	}{
		{"displayName", text(before.DisplayName), text(after.DisplayName)},
		{"description", text(before.Description), text(after.Description)},
		{"permissions", before.Allowed, after.Allowed},
		{"deniedPermissions", before.Denied, after.Denied},
		{"parents", parentTexts(before.Parents), parentTexts(after.Parents)},
	} {
		added, removed := missing(field.before, field.after), missing(field.after, field.before)
		if len(added)+len(removed) > 0 {
			found = append(found, Difference{Field: field.name, Added: added, Removed: removed})
		}
	}
	return found
}

func text(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// parentTexts spells parents for people: "full <role>", "partial <role>: a, b", "conditional <role>: <condition>".
func parentTexts(parents []Parent) []string {
	texts := make([]string, 0, len(parents))
	for _, parent := range parents {
		spelled := string(parent.Inheritance) + " " + parent.RoleID
		if details := strings.Join(parent.Permissions, ", ") + parent.Condition; details != "" {
			spelled += ": " + details
		}
		texts = append(texts, spelled)
	}
	return texts
}

// missing lists what is in the second and not in the first.
func missing(first, second []string) []string {
	var found []string
	for _, value := range second {
		if !slices.Contains(first, value) {
			found = append(found, value)
		}
	}
	return found
}

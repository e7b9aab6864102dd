package access

import (
	"fmt"
	"slices"
	"sync"
)

// MaxDepth is how many steps up a role's farthest ancestor may be.
const MaxDepth = 10

// maxFilter is how many comparisons a role's inheritance may put into the filter of a list.
const maxFilter = 1000

// Role is a role as it is stored.
type Role struct {
	ID          string
	Allow, Deny []string
	Parents     []Parent
}

// Parent is a role that another one inherits from.
type Parent struct {
	RoleID string
	Mode   Mode
	// Permissions are those that pass in mode Partial.
	Permissions []string
	// Condition must hold in mode Conditional.
	Condition string
}

// Mode says what passes from a parent.
type Mode int

// The modes; the zero one is none, and refused.
const (
	Full Mode = iota + 1
	Partial
	Conditional
)

func (m Mode) String() string {
	names := [...]string{Full: "full", Partial: "partial", Conditional: "conditional"}
	if m < Full || m > Conditional {
		return "unknown"
	}
	return names[m]
}

// effect is what a role does to a permission.
type effect int

const (
	allow effect = iota
	deny
	effects
)

// Graph is an organization's roles, compiled. It is immutable, and shared by all its subjects.
type Graph struct {
	base *Graph
	// bits and names are of the permissions that base doesn't know; the first has the number firstBit.
	bits     map[string]int
	names    []string
	firstBit int
	roles    map[string]*role
	// order has parents before their children.
	order []*role
	// roleCount and conditionCount include base's: memos of a decision have a place for each role, and for each text of a
	// condition before an inheritance, however many it stands before.
	roleCount, conditionCount int
	conditions                *conditions
	evaluations               sync.Pool
}

// role is a compiled role. Those of a base graph are part of every graph above it.
type role struct {
	id      string
	index   int
	parents []edge
	effects [effects]reachOfRole
	// depth is how many steps up the farthest ancestor is; filterSize bounds what inheritance puts into a list's filter.
	depth, filterSize int
	// personal says that a condition of its inheritance depends on who the subject is.
	personal bool
}

// reachOfRole is where one effect of a role goes: listed by itself, always, or perhaps, which depends on conditions.
type reachOfRole struct{ listed, always, perhaps bitset }

// edge is the inheritance from a parent.
type edge struct {
	parent *role
	mode   Mode
	// only is what passes in mode Partial, condition what must hold in mode Conditional.
	only      bitset
	condition *condition
	// index is the condition's.
	index int
}

func (e *edge) passes(bit int) bool { return e.mode != Partial || e.only.has(bit) }

// NewGraph compiles an organization's roles. They may have parents among the roles of base, which all organizations
// share (the system roles of the contract), and not the other way round. Conditions are compiled once for base and all
// graphs above it, as long as they are remembered.
func NewGraph(base *Graph, roles []Role) (*Graph, error) {
	g := &Graph{base: base, bits: make(map[string]int), roles: make(map[string]*role, len(roles))}
	if base != nil {
		g.firstBit, g.roleCount, g.conditionCount, g.conditions = base.permissionCount(), base.roleCount, base.conditionCount, base.conditions
	} else {
		g.conditions = newConditions()
	}
	compiler := compiler{graph: g, stored: make(map[string]*Role, len(roles)), numbers: make(map[string]int)}
	for i := range roles {
		id := roles[i].ID
		if compiler.stored[id] != nil || base != nil && base.role(id) != nil {
			return nil, fmt.Errorf("compile role %s: there are two of them", id)
		}
		compiler.stored[id] = &roles[i]
	}
	for i := range roles {
		if _, err := compiler.compile(roles[i].ID); err != nil {
			return nil, err
		}
	}
	g.evaluations.New = func() any { return &evaluation{graph: g} }
	return g, nil
}

func (g *Graph) permissionCount() int { return g.firstBit + len(g.names) }

// bit returns a permission's number; one that no role mentions has none.
func (g *Graph) bit(permission string) (int, bool) {
	for ; g != nil; g = g.base {
		if bit, known := g.bits[permission]; known {
			return bit, true
		}
	}
	return 0, false
}

func (g *Graph) name(bit int) string {
	for bit < g.firstBit {
		g = g.base
	}
	return g.names[bit-g.firstBit]
}

func (g *Graph) role(id string) *role {
	for ; g != nil; g = g.base {
		if found := g.roles[id]; found != nil {
			return found
		}
	}
	return nil
}

// Holder is a role that allows a permission.
type Holder struct {
	RoleID string
	// Conditional says that it depends on conditions of the inheritance.
	Conditional bool
}

// Holders returns the roles that allow the permission, those of the base graph first and each after its parents. Whether a
// subject with one of them may depends on its assignments, and on what they deny: ask its Holdings.
func (g *Graph) Holders(permission string) []Holder {
	bit, known := g.bit(permission)
	if !known {
		return nil
	}
	var holders []Holder
	if g.base != nil {
		holders = g.base.Holders(permission)
	}
	for _, role := range g.order {
		reach := &role.effects[allow]
		if always := reach.always.has(bit); always || reach.perhaps.has(bit) {
			holders = append(holders, Holder{RoleID: role.id, Conditional: !always})
		}
	}
	return holders
}

// Permissions are what a role allows and denies, inherited ones included, sorted by name. The conditional ones depend
// on conditions of the inheritance.
type Permissions struct{ Allow, AllowConditionally, Deny, DenyConditionally []string }

// Permissions returns those of a role, and false when there is no such role.
func (g *Graph) Permissions(roleID string) (Permissions, bool) {
	role := g.role(roleID)
	if role == nil {
		return Permissions{}, false
	}
	return Permissions{
		Allow: g.sortedNames(role.effects[allow].always), AllowConditionally: g.sortedNames(role.effects[allow].perhaps),
		Deny: g.sortedNames(role.effects[deny].always), DenyConditionally: g.sortedNames(role.effects[deny].perhaps),
	}, true
}

func (g *Graph) sortedNames(of bitset) (names []string) {
	for bit := range of.all() {
		names = append(names, g.name(bit))
	}
	slices.Sort(names)
	return names
}

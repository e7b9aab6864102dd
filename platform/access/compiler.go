package access

import (
	"fmt"
	"slices"
	"strings"
)

// compiler turns the stored roles into those of a graph, each after its parents.
type compiler struct {
	graph  *Graph
	stored map[string]*Role
	// way is the roles that are being compiled, each a parent of the one before it: where a cycle shows.
	way []string
	// numbers are those of the conditions before inheritances, by their text.
	numbers map[string]int
}

// number returns the number of a condition; a new one gets one.
func (c *compiler) number(condition string) int {
	number, known := c.numbers[condition]
	if !known {
		number = c.graph.conditionCount
		c.graph.conditionCount++
		c.numbers[condition] = number
	}
	return number
}

func (c *compiler) compile(id string) (*role, error) {
	if done := c.graph.role(id); done != nil {
		return done, nil
	}
	stored := c.stored[id]
	if stored == nil {
		return nil, ErrRoleUnknown.With("role", id)
	}
	if start := slices.Index(c.way, id); start >= 0 {
		return nil, ErrRoleCycle.With("role", id).With("cycle", strings.Join(append(c.way[start:], id), " → "))
	}
	c.way = append(c.way, id)
	compiled := &role{id: id, parents: make([]edge, 0, len(stored.Parents))}
	for i := range stored.Parents {
		inherited, err := c.edge(id, &stored.Parents[i])
		if err != nil {
			return nil, err
		}
		compiled.parents = append(compiled.parents, inherited)
	}
	if err := c.measure(compiled); err != nil {
		return nil, err
	}
	compiled.effects[allow] = c.reach(stored.Allow, compiled.parents, allow)
	compiled.effects[deny] = c.reach(stored.Deny, compiled.parents, deny)
	c.way = c.way[:len(c.way)-1]

	compiled.index = c.graph.roleCount
	c.graph.roleCount++
	c.graph.roles[id] = compiled
	c.graph.order = append(c.graph.order, compiled)
	return compiled, nil
}

func (c *compiler) edge(id string, stored *Parent) (edge, error) {
	parent, err := c.compile(stored.RoleID)
	if err != nil {
		return edge{}, err
	}
	inherited := edge{parent: parent, mode: stored.Mode}
	switch stored.Mode {
	case Full:
	case Partial:
		inherited.only = c.bits(stored.Permissions)
	case Conditional:
		condition, refused := c.graph.conditions.compile(stored.Condition)
		if refused != nil {
			return edge{}, refused.With("role", id).With("parent", stored.RoleID)
		}
		inherited.condition, inherited.index = condition, c.number(stored.Condition)
	default:
		return edge{}, fmt.Errorf("compile role %s: inherits from %s in no known mode", id, stored.RoleID)
	}
	return inherited, nil
}

// measure refuses what is too deep, or would make filters too large.
func (c *compiler) measure(compiled *role) error {
	for i := range compiled.parents {
		inherited := &compiled.parents[i]
		compiled.depth = max(compiled.depth, inherited.parent.depth+1)
		size := inherited.parent.filterSize
		if inherited.condition != nil {
			size += inherited.condition.comparisons
			compiled.personal = compiled.personal || inherited.condition.personal
		}
		compiled.personal = compiled.personal || inherited.parent.personal
		compiled.filterSize += size
	}
	if compiled.depth > MaxDepth {
		return ErrRoleTooDeep.With("role", compiled.id).With("path", strings.Join(deepest(compiled), " → "))
	}
	if compiled.filterSize > maxFilter {
		return ErrRoleTooComplex.With("role", compiled.id)
	}
	return nil
}

// deepest is the longest way up from a role.
func deepest(from *role) []string {
	path := []string{from.id}
	for i := range from.parents {
		if parent := from.parents[i].parent; parent.depth == from.depth-1 {
			return append(path, deepest(parent)...)
		}
	}
	return path
}

func (c *compiler) reach(listed []string, parents []edge, of effect) reachOfRole {
	reach := reachOfRole{listed: c.bits(listed)}
	reach.always.addAll(reach.listed)
	for i := range parents {
		inherited, from := &parents[i], &parents[i].parent.effects[of]
		switch inherited.mode {
		case Full:
			reach.always.addAll(from.always)
			reach.perhaps.addAll(from.perhaps)
		case Partial:
			reach.always.addAll(from.always.and(inherited.only))
			reach.perhaps.addAll(from.perhaps.and(inherited.only))
		case Conditional:
			reach.perhaps.addAll(from.always)
			reach.perhaps.addAll(from.perhaps)
		}
	}
	reach.perhaps.remove(reach.always)
	return reach
}

// bits returns the numbers of permissions; new ones get one.
func (c *compiler) bits(permissions []string) (set bitset) {
	for _, permission := range permissions {
		bit, known := c.graph.bit(permission)
		if !known {
			bit = c.graph.permissionCount()
			c.graph.bits[permission] = bit
			c.graph.names = append(c.graph.names, permission)
		}
		set.add(bit)
	}
	return set
}

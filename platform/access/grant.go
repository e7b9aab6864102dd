package access

import "time"

// CheckGrant tells whether the subject of the holdings may give the assignment to somebody, and is ErrGrantExceedsOwn when
// not: nobody can grant what they don't hold. It compares what is stored and asks no question, so it would rather refuse:
// each permission that the role allows, be it conditionally, must come from one grant of the subject's own that
//
//   - has begun, covers all of the scope, and doesn't expire before the assignment does;
//   - isn't Owned, because what the other one owns is not what the subject owns;
//   - has no condition, or the assignment's own, if it says nothing about the subject;
//   - allows the permission without a condition, or by the very same role, if its conditions say nothing about the subject.
//
// An assignment with a Source is delegated: then that grant must be the one with the Source's id, whose limits hold for
// the delegated one anyway, so that it only needs not to have expired. In any case no grant of the subject's own may deny the
// permission, now or later, anywhere in the scope, and the permission must be one that the holdings were cut to, if they were
// (Within). What the role denies gives nobody anything.
func (h *Holdings) CheckGrant(given *Assignment, at time.Time) error {
	role := h.graph.role(given.RoleID)
	if role == nil {
		return ErrRoleUnknown.With("role", given.RoleID)
	}
	for _, permissions := range []bitset{role.effects[allow].always, role.effects[allow].perhaps} {
		for bit := range permissions.all() {
			if !h.entitles(given, role, bit, at) {
				return ErrGrantExceedsOwn.With("permission", h.graph.name(bit))
			}
		}
	}
	return nil
}

func (h *Holdings) entitles(given *Assignment, role *role, bit int, at time.Time) (entitled bool) {
	if !h.touched[allow].has(bit) {
		return false
	}
	for i := range h.grants {
		own := &h.grants[i]
		if own.finished(at) {
			continue
		}
		if denied := &own.role.effects[deny]; denied.always.has(bit) || denied.perhaps.has(bit) {
			if own.meets(given.Scope) {
				return false
			}
		}
		entitled = entitled || own.gives(bit, role) && own.covers(given, at)
	}
	return entitled
}

// gives reports whether the grant's role allows at least as often as the given role may.
func (g *grant) gives(bit int, given *role) bool {
	own := &g.role.effects[allow]
	return own.always.has(bit) || g.role == given && own.perhaps.has(bit) && !given.personal
}

// covers reports whether the grant's limits let through all that those of the given assignment would.
func (g *grant) covers(given *Assignment, at time.Time) bool {
	if given.Source != nil {
		return given.Source.ID == g.assignment.ID
	}
	for limit := &g.limit; limit != nil; limit = limit.source {
		own := limit.assignment
		switch {
		case own.Owned, !own.Scope.covers(given.Scope), at.Before(own.Start):
			return false
		case !own.Expire.IsZero() && (given.Expire.IsZero() || own.Expire.Before(given.Expire)):
			return false
		case limit.condition != nil && (limit.condition.personal || own.Condition != given.Condition):
			return false
		}
	}
	return true
}

// finished reports whether the grant will never apply again.
func (g *grant) finished(at time.Time) bool {
	for limit := &g.limit; limit != nil; limit = limit.source {
		if expire := limit.assignment.Expire; !expire.IsZero() && !at.Before(expire) {
			return true
		}
	}
	return false
}

// meets reports whether a resource can be in both scopes.
func (g *grant) meets(scope Scope) bool {
	own := g.assignment.Scope
	return own.Kind != scope.Kind || own.everywhere() || own == scope
}

// covers reports whether all of the other scope is in this one. Which project a resource is in doesn't show in its scope.
func (s Scope) covers(other Scope) bool {
	return s == other || s.Kind == Global || s.Kind == Organization && other.Kind != Global
}

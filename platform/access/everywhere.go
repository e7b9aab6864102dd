package access

// Everywhere reports whether the answer is yes for every resource, at any time and from anywhere: a grant of the whole
// organization without a limit allows the permission always, and nothing denies it. Most questions end here, so it is two
// bits, and needs no question. What else holds everywhere Reach finds.
func (h *Holdings) Everywhere(permission string) bool {
	bit, known := h.graph.bit(permission)
	return known && h.unlimited.has(bit) && !h.touched[deny].has(bit)
}

// Denies reports whether anything denies the permission, be it only somewhere or at times.
func (h *Holdings) Denies(permission string) bool {
	bit, known := h.graph.bit(permission)
	return known && h.touched[deny].has(bit)
}

// free reports whether the assignment holds whatever is asked, but for its scope.
func (l *limit) free() bool {
	return l.assignment.Start.IsZero() && l.assignment.Expire.IsZero() && !l.assignment.Owned && l.condition == nil && l.source == nil
}

// HasRole reports whether there is a role of that id.
func (g *Graph) HasRole(id string) bool { return g.role(id) != nil }

// Graph returns the roles that the holdings were compiled against.
func (h *Holdings) Graph() *Graph { return h.graph }

// Knows reports whether any role mentions the permission.
func (g *Graph) Knows(permission string) bool {
	_, known := g.bit(permission)
	return known
}

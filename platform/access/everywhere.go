package access

// Everywhere reports whether the answer is yes for every resource, and a moment's look can tell: a grant of the whole
// organization allows it and nothing denies it. It allocates nothing. Reach finds what else holds everywhere.
func (h *Holdings) Everywhere(question *Question) bool {
	bit, known := h.graph.bit(question.Permission)
	if !known || !h.touched[allow].has(bit) || h.touched[deny].has(bit) || len(h.wide) == 0 {
		return false
	}
	if question.Resource == nil {
		return h.Decide(question).Allowed
	}
	any := *question
	any.Resource = nil
	return h.Decide(&any).Allowed
}

// HasRole reports whether there is a role of that id.
func (g *Graph) HasRole(id string) bool { return g.role(id) != nil }

// Knows reports whether any role mentions the permission.
func (g *Graph) Knows(permission string) bool {
	_, known := g.bit(permission)
	return known
}

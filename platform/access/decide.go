package access

import "iter"

// Decision is an answer.
type Decision struct {
	Allowed bool
	// By is the assignment that decided: that allowed or, when the answer is no though something allows, that denied. It is nil
	// when nothing allows. It must not be changed.
	By *Assignment
}

// Decide answers a question. It allocates nothing but what conditions that only CEL can tell need.
func (h *Holdings) Decide(question *Question) Decision {
	bit, known := h.graph.bit(question.Permission)
	if !known || !h.touched[allow].has(bit) {
		return Decision{}
	}
	e := h.evaluate(question, bit)
	defer e.release()
	allowed := h.first(e, allow)
	if allowed == nil {
		return Decision{}
	}
	if denied := h.first(e, deny); denied != nil {
		return Decision{By: denied.assignment}
	}
	return Decision{Allowed: true, By: allowed.assignment}
}

// Denied reports whether a denial holds, whether or not anything allows. Attributes that the question's resource lacks are
// left open: it must hold whatever they are.
func (h *Holdings) Denied(question *Question) bool {
	bit, known := h.graph.bit(question.Permission)
	if !known || !h.touched[deny].has(bit) {
		return false
	}
	e := h.evaluate(question, bit)
	defer e.release()
	e.listing = true
	for i := range h.grants {
		if e.grant(&h.grants[i], deny) == yes {
			return true
		}
	}
	return false
}

// Allowed returns the permissions that the answer is yes for, in no order; the question's own is not looked at.
func (h *Holdings) Allowed(question *Question) (names []string) {
	for bit := range h.touched[allow].all() {
		asked := *question
		asked.Permission = h.graph.name(bit)
		if h.Decide(&asked).Allowed {
			names = append(names, asked.Permission)
		}
	}
	return names
}

// Reach returns the resources that the answer is yes for, as a filter over their attributes. Attributes that the
// question's resource has are those of all the resources (a list of tasks, of one project); the others are left open, and so
// are all of them without a resource.
func (h *Holdings) Reach(question *Question) Reach {
	bit, known := h.graph.bit(question.Permission)
	if !known || !h.touched[allow].has(bit) {
		return Reach{filter: no}
	}
	e := h.evaluate(question, bit)
	defer e.release()
	e.listing = true
	var found [effects][]*filter
	for of := range effects {
		if !h.touched[of].has(bit) {
			continue
		}
		for i := range h.grants {
			if part := e.grant(&h.grants[i], of); part != no {
				found[of] = append(found[of], part)
			}
		}
	}
	return Reach{filter: and(join(disjunction, found[allow]), not(join(disjunction, found[deny])))}
}

// first returns the first grant that has the effect.
func (h *Holdings) first(e *evaluation, of effect) *grant {
	if !h.touched[of].has(e.bit) {
		return nil
	}
	for i := range h.covering(e.question.Resource) {
		if e.grant(&h.grants[i], of) == yes {
			return &h.grants[i]
		}
	}
	return nil
}

// covering are the grants whose scope covers the resource.
func (h *Holdings) covering(resource *Resource) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for _, i := range h.wide {
			if !yield(i) {
				return
			}
		}
		if resource == nil || len(h.placed) == 0 {
			return
		}
		for _, i := range h.placed[Scope{Kind: Project, ProjectID: resource.ProjectID}] {
			if !yield(i) {
				return
			}
		}
		for _, i := range h.placed[Scope{Kind: OneResource, ResourceType: resource.Type, ResourceID: resource.ID}] {
			if !yield(i) {
				return
			}
		}
	}
}

package access

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// evaluation is one question on its way through holdings and graph. A decision about one resource and the filter of a list
// go the same way: where everything is known, what comes out is a constant.
type evaluation struct {
	graph    *Graph
	holder   *Subject
	question *Question
	bit      int
	// listing says that the resource's attributes are open where the question has none, rather than missing.
	listing bool
	// subject is whom the program that runs at the moment is about.
	subject *Subject
	// inherited and conditions remember what has been found, by index of role and condition; they are as large as the graph
	// once they are used.
	inherited  [effects][]*filter
	conditions []*filter
}

func (h *Holdings) evaluate(question *Question, bit int) *evaluation {
	e := h.graph.evaluations.Get().(*evaluation)
	e.holder, e.question, e.bit, e.listing = &h.subject, question, bit, false
	return e
}

func (e *evaluation) release() {
	for of := range e.inherited {
		clear(e.inherited[of])
	}
	clear(e.conditions)
	e.holder, e.question, e.subject = nil, nil, nil
	e.graph.evaluations.Put(e)
}

// grant says where a grant has an effect on the permission. Denying is never unknown.
func (e *evaluation) grant(g *grant, of effect) *filter {
	reach := &g.role.effects[of]
	if !reach.always.has(e.bit) && !reach.perhaps.has(e.bit) {
		return no
	}
	applies := e.applies(&g.limit, of)
	if applies == no {
		return no
	}
	return and(applies, e.role(g.role, of))
}

// applies says where an assignment applies.
func (e *evaluation) applies(l *limit, of effect) *filter {
	if !l.begun(e) || l.expired(e) {
		return no
	}
	place := e.place(l.assignment.Scope)
	if l.assignment.Owned {
		place = and(place, e.owned(l.subject))
	}
	if of == deny {
		place = certain(place)
	}
	if place == no {
		return no
	}
	result := place
	if l.condition != nil {
		result = and(place, held(l.condition.expression.reduce(e, l.subject), of))
	}
	if l.source == nil || result == no {
		return result
	}
	return and(result, e.applies(l.source, of))
}

func (l *limit) begun(e *evaluation) bool { return !e.question.Now.Before(l.assignment.Start) }

func (l *limit) expired(e *evaluation) bool {
	expire := l.assignment.Expire
	return !expire.IsZero() && !e.question.Now.Before(expire)
}

// held is a condition before an effect: what can't be told denies.
func held(condition *filter, of effect) *filter {
	if of == deny {
		return possible(condition)
	}
	return condition
}

// place says which resources a scope covers.
func (e *evaluation) place(scope Scope) *filter {
	switch scope.Kind {
	case Global, Organization:
		return yes
	case Project:
		return e.is(ResourceProject, scope.ProjectID)
	case OneResource:
		return and(e.is(ResourceType, scope.ResourceType), e.is(ResourceID, scope.ResourceID))
	default:
		return no
	}
}

func (e *evaluation) owned(subject *Subject) *filter { return e.is(ResourceOwner, subject.ID) }

// is compares an attribute of the resource; a missing one is not the value.
func (e *evaluation) is(attribute Attribute, value string) *filter {
	own, open := e.value(attribute, nil)
	if open {
		return compare(attribute, []string{value})
	}
	return truth(own != "" && own == value)
}

// value returns what is known of an attribute, empty where it is missing or open.
func (e *evaluation) value(attribute Attribute, subject *Subject) (value string, open bool) {
	switch attribute {
	case requestFactor:
		return string(e.question.Login.Factor), false
	case subjectID:
		return subject.ID, false
	case subjectKind:
		return string(subject.Kind), false
	default:
		value = e.question.Resource.attribute(attribute)
		return value, value == "" && e.listing
	}
}

// role says where a role has an effect on the permission.
func (e *evaluation) role(r *role, of effect) *filter {
	reach := &r.effects[of]
	switch {
	case reach.always.has(e.bit):
		return yes
	case !reach.perhaps.has(e.bit):
		return no
	}
	if e.inherited[of] == nil {
		e.inherited[of] = make([]*filter, e.graph.roleCount)
	}
	if known := e.inherited[of][r.index]; known != nil {
		return known
	}
	result := no
	for i := range r.parents {
		if result = or(result, e.edge(&r.parents[i], of)); result == yes {
			break
		}
	}
	e.inherited[of][r.index] = result
	return result
}

// edge says where the effect passes from a parent.
func (e *evaluation) edge(inherited *edge, of effect) *filter {
	if !inherited.passes(e.bit) {
		return no
	}
	from := e.role(inherited.parent, of)
	if from == no || inherited.condition == nil {
		return from
	}
	return and(held(e.condition(inherited), of), from)
}

func (e *evaluation) condition(of *edge) *filter {
	if e.conditions == nil {
		e.conditions = make([]*filter, e.graph.conditionCount)
	}
	if e.conditions[of.index] == nil {
		e.conditions[of.index] = of.condition.expression.reduce(e, e.holder)
	}
	return e.conditions[of.index]
}

// ResolveName gives programs their variables; what is missing makes them unknown.
func (e *evaluation) ResolveName(name string) (any, bool) {
	login := &e.question.Login
	switch name {
	case now:
		return types.Timestamp{Time: e.question.Now}, true
	case requestAddress:
		return types.String(e.question.Address.String()), e.question.Address.IsValid()
	case requestSecondFactor:
		return types.Bool(login.SecondFactor), login.Factor != ""
	case requestLoginTime:
		return types.Timestamp{Time: login.Time}, login.Factor != "" && !login.Time.IsZero()
	case string(requestFactor), string(subjectID), string(subjectKind):
		value, _ := e.value(Attribute(name), e.subject)
		return types.String(value), value != ""
	default:
		return nil, false
	}
}

// Parent is none: there are no variables but the question's.
func (e *evaluation) Parent() cel.Activation { return nil }

package access

import "time"

// maxWays bounds the ways that an explanation follows through the inheritance of one assignment; the first is always one
// that holds, when any does.
const maxWays = 10

// Explanation is a decision with the ways that lead to it, or would.
type Explanation struct {
	Decision
	// Ways are those by which assignments allow or deny the permission, be it only if something were different.
	Ways []Way
}

// Way is one way from an assignment to what a role lists.
type Way struct {
	Assignment *Assignment
	// Denies says that the way leads to a denial, and not to what is allowed.
	Denies bool
	// Holds says that nothing is in its way.
	Holds bool
	// Roles is the way through the inheritance: the assignment's role first, then its parent, and last the one that lists the
	// permission.
	Roles []Step
	// Conditions are all that stand on the way: those of the assignment and of what it was delegated from, then those of
	// the inheritance.
	Conditions []Condition
	// Obstacles are all that would have to be different for the way to hold. A condition that can't be told is none on a
	// way that denies.
	Obstacles []Obstacle
}

// Condition is a condition with what it came to.
type Condition struct {
	Expression string
	Holds      bool
	// Unknown says that it can't be told whether it holds. Missing are the values that it asks for and the question lacks;
	// without any it can't be evaluated.
	Unknown bool
	Missing []string
}

// Step is one role of a way.
type Step struct {
	RoleID string
	// Mode is how the role before it inherits from it; the first has none. A condition is that of mode Conditional.
	Mode      Mode
	Condition string
}

// Obstacle is a limit that does not hold for the question.
type Obstacle struct {
	Kind ObstacleKind
	// Assignment has the limit: the way's own or, of a delegated one, a source. It is nil for a condition of an inheritance.
	Assignment *Assignment
	// RoleID is the parent that is inherited from on a condition.
	RoleID string
	// Condition is what would have to be true.
	Condition string
	// Time is when the assignment starts, or has expired.
	Time time.Time
}

// ObstacleKind says what is in the way.
type ObstacleKind string

// The kinds of obstacles.
const (
	NotStarted     ObstacleKind = "not_started"
	Expired        ObstacleKind = "expired"
	ScopeElsewhere ObstacleKind = "scope_elsewhere"
	NotOwned       ObstacleKind = "not_owned"
	ConditionFalse ObstacleKind = "condition_false"
	// ConditionUnknown is that of a condition that can't be told: something that it needs is missing, or it fails.
	ConditionUnknown ObstacleKind = "condition_unknown"
)

// Explain answers a question and says why. When the answer is no, then either no way allows the permission, and the
// obstacles of each say what would make it; or a way denies it, and holds.
func (h *Holdings) Explain(question *Question) Explanation {
	explanation := Explanation{Decision: h.Decide(question)}
	bit, known := h.graph.bit(question.Permission)
	if !known {
		return explanation
	}
	e := h.evaluate(question, bit)
	defer e.release()
	for of := range effects {
		for i := range h.grants {
			explanation.Ways = append(explanation.Ways, e.ways(&h.grants[i], of)...)
		}
	}
	return explanation
}

// ways are those of one grant, at most maxWays.
func (e *evaluation) ways(g *grant, of effect) []Way {
	search := search{evaluation: e, effect: of, way: Way{Assignment: g.assignment, Denies: of == deny}}
	for limit := &g.limit; limit != nil; limit = limit.source {
		search.way.Obstacles = append(search.way.Obstacles, e.obstacles(limit, of)...)
		if limit.condition != nil {
			outcome := limit.condition.expression.reduce(e, limit.subject)
			search.way.Conditions = append(search.way.Conditions, e.outcome(limit.condition, outcome, limit.subject))
		}
	}
	search.climb(g.role, Step{RoleID: g.role.id})
	return search.found
}

// obstacles are the limits of one assignment that don't hold.
func (e *evaluation) obstacles(l *limit, of effect) (found []Obstacle) {
	stored := l.assignment
	if !l.begun(e) {
		found = append(found, Obstacle{Kind: NotStarted, Assignment: stored, Time: stored.Start})
	}
	if l.expired(e) {
		found = append(found, Obstacle{Kind: Expired, Assignment: stored, Time: stored.Expire})
	}
	if e.place(stored.Scope) != yes {
		found = append(found, Obstacle{Kind: ScopeElsewhere, Assignment: stored})
	}
	if stored.Owned && e.owned(l.subject) != yes {
		found = append(found, Obstacle{Kind: NotOwned, Assignment: stored})
	}
	if l.condition != nil {
		if kind, is := obstacle(l.condition.expression.reduce(e, l.subject), of); is {
			found = append(found, Obstacle{Kind: kind, Assignment: stored, Condition: l.condition.text})
		}
	}
	return found
}

// outcome says what a condition came to for a subject.
func (e *evaluation) outcome(of *condition, came *filter, subject *Subject) Condition {
	told := Condition{Expression: of.text, Holds: came == yes, Unknown: came == unknown}
	if told.Unknown {
		told.Missing = e.missing(of, subject)
	}
	return told
}

// missing lists the values that a condition asks for and the question lacks.
func (e *evaluation) missing(of *condition, subject *Subject) (names []string) {
	e.subject = subject
	for _, name := range of.variables {
		known := false
		if ofResource(name) {
			value, _ := e.value(Attribute(name), subject)
			known = value != ""
		} else {
			_, known = e.ResolveName(name)
		}
		if !known {
			names = append(names, name)
		}
	}
	return names
}

// obstacle tells whether a condition is in the way of an effect.
func obstacle(condition *filter, of effect) (ObstacleKind, bool) {
	switch {
	case held(condition, of) == yes:
		return "", false
	case condition == unknown:
		return ConditionUnknown, true
	default:
		return ConditionFalse, true
	}
}

// search climbs from a role to those that list the permission.
type search struct {
	*evaluation
	effect effect
	way    Way
	found  []Way
}

// climb goes on with a role. Parents by which the effect holds come first, so that a way which holds is found before the
// bound on their number is met. A role that neither has the effect nor perhaps has is no way.
func (s *search) climb(to *role, step Step) {
	reach := &to.effects[s.effect]
	if len(s.found) == maxWays || !reach.always.has(s.bit) && !reach.perhaps.has(s.bit) {
		return
	}
	before := s.way
	defer func() { s.way = before }()
	s.way.Roles = append(s.way.Roles[:len(s.way.Roles):len(s.way.Roles)], step)
	if reach.listed.has(s.bit) {
		found := s.way
		found.Holds = len(found.Obstacles) == 0
		s.found = append(s.found, found)
	}
	for _, holding := range []bool{true, false} {
		for i := range to.parents {
			if inherited := &to.parents[i]; inherited.passes(s.bit) && (s.edge(inherited, s.effect) == yes) == holding {
				s.inherit(inherited)
			}
		}
	}
}

func (s *search) inherit(inherited *edge) {
	before, conditions := s.way.Obstacles, s.way.Conditions
	defer func() { s.way.Obstacles, s.way.Conditions = before, conditions }()
	step := Step{RoleID: inherited.parent.id, Mode: inherited.mode}
	if inherited.condition != nil {
		step.Condition = inherited.condition.text
		outcome := s.outcome(inherited.condition, s.condition(inherited), s.holder)
		s.way.Conditions = append(conditions[:len(conditions):len(conditions)], outcome)
		if kind, is := obstacle(s.condition(inherited), s.effect); is {
			s.way.Obstacles = append(before[:len(before):len(before)],
				Obstacle{Kind: kind, RoleID: inherited.parent.id, Condition: inherited.condition.text})
		}
	}
	s.climb(inherited.parent, step)
}

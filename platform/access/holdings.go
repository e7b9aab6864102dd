package access

import (
	"fmt"
	"slices"
	"time"
)

// ScopeKind says how far a scope goes.
type ScopeKind int

// The kinds; the zero one is none, and refused.
const (
	// Global is every organization, for operators only.
	Global ScopeKind = iota + 1
	Organization
	Project
	// OneResource is a single resource.
	OneResource
)

func (k ScopeKind) String() string {
	names := [...]string{Global: "global", Organization: "organization", Project: "project", OneResource: "resource"}
	if k < Global || k > OneResource {
		return "unknown"
	}
	return names[k]
}

// Scope is what an assignment covers. Only what its kind needs is filled.
type Scope struct {
	Kind                     ScopeKind
	ProjectID                string
	ResourceType, ResourceID string
}

// valid reports whether the scope says all that its kind needs, and nothing else.
func (s Scope) valid() bool {
	switch s.Kind {
	case Global, Organization:
		return s == Scope{Kind: s.Kind}
	case Project:
		return s.ProjectID != "" && s == Scope{Kind: Project, ProjectID: s.ProjectID}
	case OneResource:
		return s.ProjectID == "" && s.ResourceType != "" && s.ResourceID != ""
	default:
		return false
	}
}

// everywhere reports whether the scope covers the whole organization.
func (s Scope) everywhere() bool { return s.Kind == Global || s.Kind == Organization }

// Assignment gives a role to a subject.
type Assignment struct {
	ID, RoleID string
	Scope      Scope
	// Owned narrows it to what the subject owns.
	Owned bool
	// Start and Expire are when it begins to hold and when it no longer does; zero is open.
	Start, Expire time.Time
	Condition     string
	// Subject is whom Owned and the condition mean; the zero one is the subject of the holdings. A Source has one of its own.
	Subject Subject
	// Source is what a delegated assignment was granted from. All of its limits hold too; its role doesn't matter.
	Source *Assignment
	// Through is the id of the team by which it comes; the subject is the person nevertheless.
	Through string
}

// maxSources is a bound against assignments that are their own source; the rule of one step is the store's.
const maxSources = 10

// Holdings is what one subject has, compiled against a graph. It is immutable.
type Holdings struct {
	graph   *Graph
	subject Subject
	grants  []grant
	// wide are the grants that cover the whole organization, placed those of every other scope: a question needs at most two of
	// those lists, however many projects a subject works in.
	wide   []int32
	placed map[Scope][]int32
	// unlimited is what a grant of the whole organization without a limit always allows.
	unlimited bitset
	// touched is what any grant allows or denies, be it conditionally; allowed is nothing besides.
	touched [effects]bitset
}

// grant is a compiled assignment.
type grant struct {
	limit
	role *role
}

// limit is where an assignment applies.
type limit struct {
	assignment *Assignment
	subject    *Subject
	condition  *condition
	source     *limit
}

// Hold compiles a subject's assignments: its own and those of its teams. It fails for a role that the graph doesn't have, and
// for what can't have been stored, so that nobody is decided about by half of what they have.
func (g *Graph) Hold(subject Subject, assignments []Assignment) (*Holdings, error) {
	h := &Holdings{graph: g, subject: subject, grants: make([]grant, len(assignments)), placed: make(map[Scope][]int32)}
	stored := slices.Clone(assignments)
	for i := range stored {
		role := g.role(stored[i].RoleID)
		if role == nil {
			return nil, ErrRoleUnknown.With("role", stored[i].RoleID).With("assignment", stored[i].ID)
		}
		limit, err := h.limit(&stored[i], 0)
		if err != nil {
			return nil, err
		}
		h.grants[i] = grant{limit: *limit, role: role}
		for of := range effects {
			h.touched[of].addAll(role.effects[of].always)
			h.touched[of].addAll(role.effects[of].perhaps)
		}
		if scope := stored[i].Scope; scope.everywhere() {
			h.wide = append(h.wide, int32(i))
			if limit.free() {
				h.unlimited.addAll(role.effects[allow].always)
			}
		} else {
			h.placed[scope] = append(h.placed[scope], int32(i))
		}
	}
	return h, nil
}

func (h *Holdings) limit(stored *Assignment, step int) (*limit, error) {
	compiled := &limit{assignment: stored, subject: &h.subject}
	if stored.Subject != (Subject{}) {
		compiled.subject = &stored.Subject
	}
	switch {
	case step > maxSources:
		return nil, fmt.Errorf("compile assignment %s: it was granted on more than %d times", stored.ID, maxSources)
	case !stored.Scope.valid():
		return nil, fmt.Errorf("compile assignment %s: its scope %v is not valid", stored.ID, stored.Scope)
	case stored.Scope.Kind == Global && compiled.subject.Kind != Operator:
		return nil, fmt.Errorf("compile assignment %s: only operators can have a global scope", stored.ID)
	}
	if stored.Condition != "" {
		condition, refused := h.graph.conditions.compile(stored.Condition)
		if refused != nil {
			return nil, refused.With("assignment", stored.ID)
		}
		compiled.condition = condition
	}
	if stored.Source != nil {
		source, err := h.limit(stored.Source, step+1)
		if err != nil {
			return nil, err
		}
		compiled.source = source
	}
	return compiled, nil
}

// Within returns the holdings cut to the permissions that let through: what is decided, filtered and granted by them is never
// more. What they deny they go on denying.
func (h *Holdings) Within(lets func(permission string) bool) *Holdings {
	within := *h
	within.touched[allow], within.unlimited = h.cut(h.touched[allow], lets), h.cut(h.unlimited, lets)
	return &within
}

func (h *Holdings) cut(permissions bitset, lets func(permission string) bool) (kept bitset) {
	for bit := range permissions.all() {
		if lets(h.graph.name(bit)) {
			kept.add(bit)
		}
	}
	return kept
}

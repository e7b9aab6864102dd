package access_test

import "github.com/braidhq/braid/platform/access"

// naive answers questions as the package's comment says, word by word: recursively, without remembering anything, and
// without a look at how the evaluator does it. It knows conditions by what the world says that they mean.
type naive struct{ world *world }

// truth is that of three-valued logic.
type truth int

const (
	isFalse truth = iota
	isUnknown
	isTrue
)

// holds fails closed: what is unknown doesn't allow, and denies.
func (t truth) holds(denying bool) bool { return t == isTrue || denying && t == isUnknown }

func (n naive) decides(question *access.Question) bool {
	allowed := false
	for i := range n.world.assignments {
		assignment := &n.world.assignments[i]
		if n.applies(assignment, question, true) && n.has(assignment.RoleID, question, true) {
			return false
		}
		if n.applies(assignment, question, false) && n.has(assignment.RoleID, question, false) {
			allowed = true
		}
	}
	return allowed
}

func (n naive) applies(assignment *access.Assignment, question *access.Question, denying bool) bool {
	if question.Now.Before(assignment.Start) {
		return false
	}
	if !assignment.Expire.IsZero() && !question.Now.Before(assignment.Expire) {
		return false
	}
	if !n.covers(assignment.Scope, question.Resource) {
		return false
	}
	subject := n.world.subject
	if assignment.Subject.ID != "" {
		subject = assignment.Subject
	}
	if assignment.Owned && (question.Resource == nil || question.Resource.OwnerID != subject.ID) {
		return false
	}
	if assignment.Condition != "" && !n.world.meaning(assignment.Condition)(question, subject).holds(denying) {
		return false
	}
	return assignment.Source == nil || n.applies(assignment.Source, question, denying)
}

func (n naive) covers(scope access.Scope, resource *access.Resource) bool {
	if scope.Kind == access.Organization || scope.Kind == access.Global {
		return true
	}
	if resource == nil {
		return false
	}
	if scope.Kind == access.Project {
		return resource.ProjectID == scope.ProjectID
	}
	return resource.Type == scope.ResourceType && resource.ID == scope.ResourceID
}

func (n naive) has(roleID string, question *access.Question, denying bool) bool {
	role := n.role(roleID)
	listed := role.Allow
	if denying {
		listed = role.Deny
	}
	if contains(listed, question.Permission) {
		return true
	}
	for _, parent := range role.Parents {
		if parent.Mode == access.Partial && !contains(parent.Permissions, question.Permission) {
			continue
		}
		if parent.Mode == access.Conditional && !n.world.meaning(parent.Condition)(question, n.world.subject).holds(denying) {
			continue
		}
		if n.has(parent.RoleID, question, denying) {
			return true
		}
	}
	return false
}

func (n naive) role(id string) access.Role {
	for _, roles := range [][]access.Role{n.world.system, n.world.roles} {
		for _, role := range roles {
			if role.ID == id {
				return role
			}
		}
	}
	panic("the world has no role " + id)
}

func contains(texts []string, wanted string) bool {
	for _, text := range texts {
		if text == wanted {
			return true
		}
	}
	return false
}

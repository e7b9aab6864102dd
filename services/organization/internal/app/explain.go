package app

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

// Explanation is an answer with the ways that lead to it or nearly do.
type Explanation struct {
	Access
	Paths []Path
}

// Path is one way from somebody to a permission.
type Path struct {
	// Denies says that it leads to a denial, Applies that it holds now, for the resource.
	Denies, Applies bool
	// AssignmentID is empty for a role that a member has as a member, TeamID for what is the subject's own.
	AssignmentID, TeamID string
	// RoleIDs are the roles from the assigned one to the one that names the permission.
	RoleIDs    []string
	Conditions []Condition
	// Missing says what would have to be different for it to apply.
	Missing []string
}

// Condition is an expression on the way.
type Condition struct {
	Expression string
	Holds      bool
	// Unknown says why it can't be told whether it holds, and what follows; empty when it can.
	Unknown string
}

// ExplainAccess answers a question from the database and says why.
func (a *App) ExplainAccess(ctx context.Context, organizationID id.ID, asked Asked) (Explanation, error) {
	if err := a.checkMayAsk(ctx, organizationID, []id.ID{asked.SubjectID}); err != nil {
		return Explanation{}, err
	}
	holders, err := a.readHolders(ctx, a.DB.ReadOnePlan(pg.ScopeOf(ctx)), organizationID, asked.SubjectID)
	if err != nil {
		return Explanation{}, err
	}
	held := &holders[0].Held
	if a.isUnknown(asked.Permission) || !held.Member {
		explanation := Explanation{Access: verdict(held, access.Decision{}, asked.Permission)}
		return explanation, nil
	}
	question := a.question(ctx, &asked)
	explained := held.Explain(&question)
	explanation := Explanation{Access: verdict(held, explained.Decision, asked.Permission)}
	for i := range explained.Ways {
		explanation.Paths = append(explanation.Paths, pathOf(&explained.Ways[i]))
	}
	slices.SortStableFunc(explanation.Paths, func(one, other Path) int { return cmp.Compare(one.place(), other.place()) })
	return explanation, nil
}

// place is where a path stands among others: those that decide come first.
func (p Path) place() int {
	switch {
	case p.Applies && p.Denies:
		return 0
	case p.Applies:
		return 1
	default:
		return 2
	}
}

func pathOf(way *access.Way) Path {
	path := Path{
		Denies: way.Denies, Applies: way.Holds, AssignmentID: way.Assignment.ID, TeamID: way.Assignment.Through,
		Conditions: conditionsOf(way),
	}
	for _, step := range way.Roles {
		path.RoleIDs = append(path.RoleIDs, authz.ShownRole(step.RoleID))
	}
	for _, obstacle := range way.Obstacles {
		path.Missing = append(path.Missing, missingText(&obstacle))
	}
	return path
}

// conditionsOf lists the conditions on a way: the assignment's, those of what it was delegated from, and those of the
// inheritance.
func conditionsOf(way *access.Way) []Condition {
	conditions := make([]Condition, 0, len(way.Conditions))
	for _, condition := range way.Conditions {
		told := Condition{Expression: condition.Expression, Holds: condition.Holds}
		if condition.Unknown {
			told.Unknown = unknownText(condition.Missing, way.Denies)
		}
		conditions = append(conditions, told)
	}
	return conditions
}

// unknownText says why a condition can't be told, and what it comes to for that.
func unknownText(missing []string, denies bool) string {
	why := "It can't be evaluated"
	if len(missing) > 0 {
		why = strings.Join(missing, ", ") + " can't be known here"
	}
	if denies {
		return why + "; what can't be told denies."
	}
	return why + "; what can't be told does not allow."
}

// missingText says what would have to be different.
func missingText(obstacle *access.Obstacle) string {
	switch obstacle.Kind {
	case access.NotStarted:
		return "It holds from " + obstacle.Time.UTC().Format(time.RFC3339) + " on only."
	case access.Expired:
		return "It ended at " + obstacle.Time.UTC().Format(time.RFC3339) + "."
	case access.ScopeElsewhere:
		return "It holds for " + placeText(obstacle.Assignment.Scope) + " only."
	case access.NotOwned:
		return "It holds only for what its holder created or owns."
	case access.ConditionUnknown:
		return "The condition must be true, and something that it asks for is not known here: " + obstacle.Condition
	default:
		return "The condition must be true: " + obstacle.Condition
	}
}

func placeText(scope access.Scope) string {
	if scope.Kind == access.Project {
		return "the project " + scope.ProjectID
	}
	return "the " + scope.ResourceType + " " + scope.ResourceID
}

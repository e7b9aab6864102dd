package app

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

const (
	// maxLookedAt bounds the subjects that one page of a list looks at, and subjectBatch those read at once.
	maxLookedAt  = 1000
	subjectBatch = 200
)

// These lists are put together here and not by a statement; a page goes on behind the last one looked at.
var (
	subjectList = list.Spec{Name: "subjects", Tiebreak: list.Order{Column: "id", Type: list.ID}}
	reachList   = list.Spec{Name: "resources", Tiebreak: list.Order{Column: "position", Type: list.Int}}
)

// bind makes page tokens good for one question only.
func bind(request list.Request, organizationID id.ID, asked Asked) list.Request {
	resource, _ := json.Marshal(asked.Resource) // Texts always encode.
	request.Binding = []string{organizationID.String(), asked.SubjectID.String(), asked.Permission, string(resource)}
	return request
}

// ListSubjects returns a page of those who hold a permission at this moment, by id, and the token of the next one. It
// looks at those only who have a role that may allow it, and at a bounded number of them, so that a page may be short.
func (a *App) ListSubjects(ctx context.Context, organizationID id.ID, asked Asked, request list.Request) (string, []domain.Subject, error) {
	query, err := subjectList.Parse(bind(request, organizationID, asked))
	if err != nil {
		return "", nil, err
	}
	querier := a.DB.Read(pg.ScopeOf(ctx))
	callers, err := a.readHolders(ctx, querier, organizationID, call.From(ctx).Actor.UserID)
	if err != nil {
		return "", nil, err
	}
	var roleIDs []string
	for _, role := range callers[0].graph.Holders(asked.Permission) {
		roleIDs = append(roleIDs, authz.ShownRole(role.RoleID))
	}
	var after id.ID
	if seen := query.After(); seen != nil {
		after, _ = seen[0].(id.ID)
	}
	var found []domain.Subject
	for range maxLookedAt / subjectBatch {
		candidates, err := store.ListCandidates(ctx, querier, organizationID, roleIDs, after, subjectBatch)
		if err != nil {
			return "", nil, err
		}
		holders, err := a.readHolders(ctx, querier, organizationID, idsOf(candidates)...)
		if err != nil {
			return "", nil, err
		}
		for i := range holders {
			asked.SubjectID, after = candidates[i].ID, candidates[i].ID
			if a.decide(ctx, &holders[i].Held, &asked).Allowed {
				found = append(found, candidates[i])
			}
			if len(found) == query.PageSize() {
				return query.TokenAfter(after), found, nil
			}
		}
		if len(candidates) < subjectBatch {
			return "", found, nil
		}
	}
	return query.TokenAfter(after), found, nil
}

func idsOf(subjects []domain.Subject) []id.ID {
	ids := make([]id.ID, 0, len(subjects))
	for _, subject := range subjects {
		ids = append(ids, subject.ID)
	}
	return ids
}

// Reach is a part of an organization where somebody holds a permission, or is denied it.
type Reach struct {
	Scope access.Scope
	// Owned says that it holds for the subject's own only.
	Owned bool
	// Condition is what else the resource must be; empty: nothing.
	Condition string
	Denied    bool
}

// ListResources returns a page of where somebody holds a permission, and the token of the next one.
func (a *App) ListResources(ctx context.Context, organizationID id.ID, asked Asked, request list.Request) (string, []Reach, error) {
	query, err := reachList.Parse(bind(request, organizationID, asked))
	if err != nil {
		return "", nil, err
	}
	if err := a.checkMayAsk(ctx, organizationID, []id.ID{asked.SubjectID}); err != nil {
		return "", nil, err
	}
	holders, err := a.readHolders(ctx, a.DB.Read(pg.ScopeOf(ctx)), organizationID, asked.SubjectID)
	if err != nil {
		return "", nil, err
	}
	held := &holders[0].Held
	if !held.Member || held.Suspended {
		return "", nil, nil
	}
	question := a.question(ctx, &asked)
	reaches := reachesOf(held.Explain(&question).Ways)
	start := 0
	if seen := query.After(); seen != nil {
		last, _ := seen[0].(int64)
		start = int(min(last, int64(len(reaches))))
	}
	end := min(start+query.PageSize(), len(reaches))
	if end == len(reaches) {
		return "", reaches[start:], nil
	}
	return query.TokenAfter(int64(end)), reaches[start:end], nil
}

// reachesOf turns the ways of a question that names no resource into where they hold. What is in their way must be a
// matter of the resource; every other obstacle ends them. Narrower ones within a wider one are left out.
func reachesOf(ways []access.Way) []Reach {
	var all []Reach
	for i := range ways {
		if reach, holds := reachOf(&ways[i]); holds && !slices.Contains(all, reach) {
			all = append(all, reach)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(reach Reach) bool {
		return slices.ContainsFunc(all, func(other Reach) bool { return other != reach && other.covers(reach) })
	})
}

// covers reports whether the other adds nothing.
func (r Reach) covers(other Reach) bool {
	whole := !r.Owned && r.Condition == "" && r.Denied == other.Denied
	return whole && (r.Scope.Kind == access.Organization || r.Scope == other.Scope)
}

func reachOf(way *access.Way) (Reach, bool) {
	for _, obstacle := range way.Obstacles {
		switch obstacle.Kind {
		case access.ScopeElsewhere, access.NotOwned:
		case access.ConditionUnknown:
			if !asksResource(obstacle.Condition) {
				return Reach{}, false
			}
		default:
			return Reach{}, false
		}
	}
	var left []string
	for _, condition := range conditionsOf(way) {
		if asksResource(condition.Expression) {
			left = append(left, condition.Expression)
		}
	}
	if source := way.Assignment.Source; source != nil && source.Owned {
		left = append(left, `resource.owner == "`+source.Subject.ID+`"`)
	}
	if len(left) > 1 {
		for i := range left {
			left[i] = "(" + left[i] + ")"
		}
	}
	return Reach{
		Scope: way.Assignment.Scope, Owned: way.Assignment.Owned, Condition: strings.Join(left, " && "), Denied: way.Denies,
	}, true
}

// asksResource reports whether a condition is about the resource, too.
func asksResource(condition string) bool { return strings.Contains(condition, "resource.") }

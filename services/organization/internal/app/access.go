package app

import (
	"context"
	"slices"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// readMembers is the permission that it takes to ask about others.
const readMembers = "organization.member.read"

// Asked is a question about what somebody may do.
type Asked struct {
	// SubjectID is the member's or service account's.
	SubjectID  id.ID
	Permission string
	// Resource is nil for the whole organization.
	Resource *access.Resource
}

// Access is the answer to whether somebody may do something.
type Access struct {
	Allowed bool
	// Reason is "role:<id>" of the role that allows it, or why not.
	Reason string
	// Revision is the access revision that the answer holds for, 0 for one who is no member.
	Revision int64
}

var unknownPermission = Access{Reason: "unknown_permission"}

// CheckAccess says whether somebody holds a permission, by the rules that requests are let through: what this process
// remembers counts as long as it is fresh and grants it, and a no is always the database's.
func (a *App) CheckAccess(ctx context.Context, organizationID id.ID, asked Asked) (Access, error) {
	answers, err := a.CheckAccesses(ctx, organizationID, []Asked{asked})
	if err != nil {
		return Access{}, err
	}
	return answers[0], nil
}

// CheckAccesses answers several questions in their order, all from the same data.
func (a *App) CheckAccesses(ctx context.Context, organizationID id.ID, asked []Asked) ([]Access, error) {
	subjects := make([]id.ID, 0, 1)
	for i := range asked {
		if !a.isUnknown(asked[i].Permission) && !slices.Contains(subjects, asked[i].SubjectID) {
			subjects = append(subjects, asked[i].SubjectID)
		}
	}
	if err := a.checkMayAsk(ctx, organizationID, subjects); err != nil {
		return nil, err
	}
	answers := make([]Access, len(asked))
	answer := func(held *authz.Held, subjectID id.ID) (allowed bool) {
		allowed = true
		for i := range asked {
			if asked[i].SubjectID == subjectID && !a.isUnknown(asked[i].Permission) {
				answers[i] = a.decide(ctx, held, &asked[i])
				allowed = allowed && answers[i].Allowed
			}
		}
		return allowed
	}
	for i := range asked {
		answers[i] = unknownPermission
	}
	switch len(subjects) {
	case 0:
		return answers, nil
	case 1:
		held, err := a.RecallAccess(ctx, organizationID, subjects[0], func(held *authz.Held) bool { return answer(held, subjects[0]) }, a.readAccess)
		if err == nil {
			answer(&held, subjects[0])
		}
		return answers, err
	}
	holders, err := a.readHolders(ctx, a.DB.ReadOnePlan(pg.Scope{OrganizationID: organizationID}), organizationID, subjects...)
	for i := range holders {
		answer(&holders[i].Held, holders[i].subjectID)
	}
	return answers, err
}

// isUnknown reports whether nobody anywhere can hold the permission, because it would be Braid's and isn't.
func (a *App) isUnknown(permission string) bool {
	return !a.Roles.Knows(permission) && domain.IsReserved(permission)
}

// checkMayAsk refuses questions about others to one who may not see who is in the organization.
func (a *App) checkMayAsk(ctx context.Context, organizationID id.ID, subjects []id.ID) error {
	caller := call.From(ctx).Actor.UserID
	for _, subjectID := range subjects {
		if subjectID != caller {
			return a.Authorize(ctx, organizationID, caller, readMembers)
		}
	}
	return nil
}

// question puts what somebody asks into the evaluator's words. Address and login are known of who is calling only.
func (a *App) question(ctx context.Context, asked *Asked) access.Question {
	question := access.Question{Permission: asked.Permission, Resource: asked.Resource, Now: a.Clock.Now()}
	if work := call.From(ctx); work.Actor.UserID == asked.SubjectID {
		question.Address, question.Login = work.ClientAddress, authz.LoginOf(&work.Actor)
	}
	return question
}

func (a *App) decide(ctx context.Context, held *authz.Held, asked *Asked) Access {
	if !held.Member || held.Suspended {
		return verdict(held, access.Decision{}, asked.Permission)
	}
	question := a.question(ctx, asked)
	return verdict(held, held.Decide(&question), asked.Permission)
}

// verdict says why a decision is what it is.
func verdict(held *authz.Held, decision access.Decision, permission string) Access {
	answer := Access{Revision: held.Revision}
	switch {
	case !held.Member:
		answer.Reason = "not_a_member"
	case held.Suspended:
		answer.Reason = "suspended"
	case decision.Allowed:
		answer.Allowed, answer.Reason = true, "role:"+authz.ShownRole(decision.By.RoleID)
	case decision.By != nil:
		answer.Reason = "denied:" + authz.ShownRole(decision.By.RoleID)
	case !held.Graph().Knows(permission):
		answer.Reason = unknownPermission.Reason
	default:
		answer.Reason = "no_role_with_permission"
	}
	return answer
}

// GetEffectivePermissions returns all that a user or service account may do in an organization, read in one statement.
// Other services ask it too, so the organization comes from the request. Nothing is remembered here: the callers keep
// copies and are told of changes.
func (a *App) GetEffectivePermissions(ctx context.Context, organizationID, subjectID id.ID, knownRoles int64) (*organizationv1.GetEffectivePermissionsResponse, error) {
	querier := a.DB.ReadOnePlan(pg.Scope{OrganizationID: organizationID})
	catalog, holdings, err := store.ReadHoldings(ctx, querier, organizationID, knownRoles, a.Clock.Now(), subjectID)
	if err != nil {
		return nil, err
	}
	return encodeHolding(catalog, holdings[0], a.Roles.Permissions(holdings[0].RoleIDs)), nil
}

// readAccess is GetEffectivePermissions in the form in which it is remembered.
func (a *App) readAccess(ctx context.Context, organizationID, subjectID id.ID, knownRoles int64) (authz.Answer, error) {
	answer, err := a.GetEffectivePermissions(ctx, organizationID, subjectID, knownRoles)
	if err != nil {
		return authz.Answer{}, err
	}
	return authz.AnswerOf(answer), nil
}

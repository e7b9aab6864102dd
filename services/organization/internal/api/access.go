package api

import (
	"context"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/services/organization/internal/app"
)

// asked is what checks, explanations and lists have in common.
type asked interface {
	GetPermission() string
	GetUserId() string
	GetResource() *organizationv1.Resource
}

// decodeAsked reads a question; without a user it is about the caller.
func decodeAsked(ctx context.Context, question asked) app.Asked {
	return app.Asked{
		SubjectID: subjectOf(ctx, question.GetUserId()), Permission: question.GetPermission(), Resource: decodeResource(question.GetResource()),
	}
}

func subjectOf(ctx context.Context, userID string) id.ID {
	if userID == "" {
		return call.From(ctx).Actor.UserID
	}
	return id.ParseOrZero(userID)
}

// decodeResource reads a resource. A project is in itself.
func decodeResource(resource *organizationv1.Resource) *access.Resource {
	if resource == nil {
		return nil
	}
	decoded := &access.Resource{Type: resource.GetType(), ID: resource.GetId(), ProjectID: resource.GetProjectId(), OwnerID: resource.GetOwnerId()}
	if decoded.Type == "project" {
		decoded.ProjectID = decoded.ID
	}
	return decoded
}

// CheckAccess says whether the caller, or another member, holds a permission.
func (h *Handlers) CheckAccess(ctx context.Context, request *organizationv1.CheckAccessRequest) (*organizationv1.CheckAccessResponse, error) {
	answer, err := h.app.CheckAccess(ctx, id.ParseOrZero(request.GetOrganizationId()), decodeAsked(ctx, request))
	if err != nil {
		return nil, err
	}
	return encodeAccess(answer), nil
}

func encodeAccess(answer app.Access) *organizationv1.CheckAccessResponse {
	return &organizationv1.CheckAccessResponse{
		Allowed: answer.Allowed, Reason: answer.Reason, AccessRevision: app.EncodeRevision(answer.Revision),
	}
}

// BatchCheckAccess answers many checks.
func (h *Handlers) BatchCheckAccess(ctx context.Context, request *organizationv1.BatchCheckAccessRequest) (*organizationv1.BatchCheckAccessResponse, error) {
	questions := make([]app.Asked, 0, len(request.GetChecks()))
	for _, check := range request.GetChecks() {
		questions = append(questions, decodeAsked(ctx, check))
	}
	answers, err := h.app.CheckAccesses(ctx, id.ParseOrZero(request.GetOrganizationId()), questions)
	if err != nil {
		return nil, err
	}
	response := &organizationv1.BatchCheckAccessResponse{}
	for _, answer := range answers {
		response.Results = append(response.Results, encodeAccess(answer))
	}
	return response, nil
}

// ExplainAccess says why.
func (h *Handlers) ExplainAccess(ctx context.Context, request *organizationv1.ExplainAccessRequest) (*organizationv1.ExplainAccessResponse, error) {
	explanation, err := h.app.ExplainAccess(ctx, id.ParseOrZero(request.GetOrganizationId()), decodeAsked(ctx, request))
	if err != nil {
		return nil, err
	}
	response := &organizationv1.ExplainAccessResponse{
		Allowed: explanation.Allowed, Reason: explanation.Reason, AccessRevision: app.EncodeRevision(explanation.Revision),
	}
	for _, path := range explanation.Paths {
		encoded := &organizationv1.ExplainAccessResponse_Path{
			Effect: organizationv1.ExplainAccessResponse_ALLOW, Applies: path.Applies, AssignmentId: path.AssignmentID,
			TeamId: path.TeamID, RoleIds: path.RoleIDs, Missing: path.Missing,
		}
		if path.Denies {
			encoded.Effect = organizationv1.ExplainAccessResponse_DENY
		}
		for _, condition := range path.Conditions {
			encoded.Conditions = append(encoded.Conditions, &organizationv1.ExplainAccessResponse_Condition{
				Expression: condition.Expression, Holds: condition.Holds, Unknown: condition.Unknown,
			})
		}
		response.Paths = append(response.Paths, encoded)
	}
	return response, nil
}

// ListSubjects lists who can.
func (h *Handlers) ListSubjects(ctx context.Context, request *organizationv1.ListSubjectsRequest) (*organizationv1.ListSubjectsResponse, error) {
	question := app.Asked{Permission: request.GetPermission(), Resource: decodeResource(request.GetResource())}
	page := list.Request{PageSize: request.GetPageSize(), PageToken: request.GetPageToken()}
	next, subjects, err := h.app.ListSubjects(ctx, id.ParseOrZero(request.GetOrganizationId()), question, page)
	if err != nil {
		return nil, err
	}
	response := &organizationv1.ListSubjectsResponse{NextPageToken: next}
	for _, subject := range subjects {
		response.Subjects = append(response.Subjects, app.EncodeSubject(subject))
	}
	return response, nil
}

// ListResources lists what somebody can.
func (h *Handlers) ListResources(ctx context.Context, request *organizationv1.ListResourcesRequest) (*organizationv1.ListResourcesResponse, error) {
	question := app.Asked{SubjectID: subjectOf(ctx, request.GetUserId()), Permission: request.GetPermission()}
	page := list.Request{PageSize: request.GetPageSize(), PageToken: request.GetPageToken()}
	next, reaches, err := h.app.ListResources(ctx, id.ParseOrZero(request.GetOrganizationId()), question, page)
	if err != nil {
		return nil, err
	}
	response := &organizationv1.ListResourcesResponse{NextPageToken: next}
	for _, reach := range reaches {
		response.Reaches = append(response.Reaches, &organizationv1.ListResourcesResponse_Reach{
			Scope: encodeReach(reach.Scope), Owned: reach.Owned, Condition: reach.Condition, Denied: reach.Denied,
		})
	}
	return response, nil
}

func encodeReach(scope access.Scope) *organizationv1.Scope {
	switch scope.Kind {
	case access.Project:
		return &organizationv1.Scope{Type: organizationv1.Scope_PROJECT, Id: scope.ProjectID}
	case access.OneResource:
		return &organizationv1.Scope{Type: organizationv1.Scope_RESOURCE, Id: scope.ResourceID, ResourceType: scope.ResourceType}
	default:
		return &organizationv1.Scope{Type: organizationv1.Scope_ORGANIZATION}
	}
}

// GetEffectivePermissions answers another service with all that a user may do.
func (h *Handlers) GetEffectivePermissions(ctx context.Context, request *organizationv1.GetEffectivePermissionsRequest) (*organizationv1.GetEffectivePermissionsResponse, error) {
	return h.app.GetEffectivePermissions(ctx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetUserId()), request.GetKnownRolesRevision())
}

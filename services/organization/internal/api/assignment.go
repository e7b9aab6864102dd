package api

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/app"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// CreateAssignment gives a role.
func (h *Handlers) CreateAssignment(ctx context.Context, request *organizationv1.CreateAssignmentRequest) (*organizationv1.Assignment, error) {
	given := domain.Assignment{
		OrganizationID: id.ParseOrZero(request.GetOrganizationId()), Subject: decodeSubject(request.GetSubject()),
		RoleID: request.GetRoleId(), Scope: domain.Scope{Type: domain.InOrganization}, Owned: request.GetOwned(),
		Delegable: request.GetDelegable(), StartsAt: decodeTime(request.GetStartTime()), ExpiresAt: decodeTime(request.GetExpireTime()),
		Condition: request.GetCondition(),
	}
	if request.GetScope() != nil {
		given.Scope = decodeScope(request.GetScope())
	}
	return h.give(ctx, func(ctx context.Context, tx *pg.Tx) (domain.Assignment, error) {
		return h.app.CreateAssignment(ctx, tx, given)
	})
}

// DelegateAssignment gives an assignment on.
func (h *Handlers) DelegateAssignment(ctx context.Context, request *organizationv1.DelegateAssignmentRequest) (*organizationv1.Assignment, error) {
	given := domain.Assignment{
		OrganizationID: id.ParseOrZero(request.GetOrganizationId()), Subject: decodeSubject(request.GetSubject()),
		Scope:    decodeScope(request.GetScope()),
		StartsAt: decodeTime(request.GetStartTime()), ExpiresAt: decodeTime(request.GetExpireTime()), Condition: request.GetCondition(),
	}
	return h.give(ctx, func(ctx context.Context, tx *pg.Tx) (domain.Assignment, error) {
		return h.app.DelegateAssignment(ctx, tx, id.ParseOrZero(request.GetAssignmentId()), given)
	})
}

// give answers with an assignment that was just made.
func (h *Handlers) give(ctx context.Context, give func(context.Context, *pg.Tx) (domain.Assignment, error)) (*organizationv1.Assignment, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.Assignment, error) {
		given, err := give(ctx, tx)
		if err != nil {
			return nil, err
		}
		return app.EncodeAssignment(given), nil
	})
}

// ListAssignments lists the assignments.
func (h *Handlers) ListAssignments(ctx context.Context, request *organizationv1.ListAssignmentsRequest) (*organizationv1.ListAssignmentsResponse, error) {
	next, assignments, err := h.app.ListAssignments(ctx, id.ParseOrZero(request.GetOrganizationId()), list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	response := &organizationv1.ListAssignmentsResponse{NextPageToken: next}
	for _, assignment := range assignments {
		response.Assignments = append(response.Assignments, app.EncodeAssignment(assignment))
	}
	return response, nil
}

// GetAssignment returns one assignment.
func (h *Handlers) GetAssignment(ctx context.Context, request *organizationv1.GetAssignmentRequest) (*organizationv1.Assignment, error) {
	assignment, err := h.app.GetAssignment(ctx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetAssignmentId()))
	if err != nil {
		return nil, err
	}
	return app.EncodeAssignment(assignment), nil
}

// DeleteAssignment takes an assignment back.
func (h *Handlers) DeleteAssignment(ctx context.Context, request *organizationv1.DeleteAssignmentRequest) (*organizationv1.DeleteAssignmentResponse, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.DeleteAssignmentResponse, error) {
		revision, err := h.app.DeleteAssignment(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetAssignmentId()))
		if err != nil {
			return nil, err
		}
		return &organizationv1.DeleteAssignmentResponse{AccessRevision: app.EncodeRevision(revision)}, nil
	})
}

var subjectTypes = map[organizationv1.Subject_Type]domain.SubjectType{
	organizationv1.Subject_USER: domain.User, organizationv1.Subject_TEAM: domain.Team, organizationv1.Subject_SERVICE_ACCOUNT: domain.ServiceAccount,
}

func decodeSubject(subject *organizationv1.Subject) domain.Subject {
	return domain.Subject{Type: subjectTypes[subject.GetType()], ID: id.ParseOrZero(subject.GetId())}
}

var scopeTypes = map[organizationv1.Scope_Type]domain.ScopeType{
	organizationv1.Scope_ORGANIZATION: domain.InOrganization, organizationv1.Scope_PROJECT: domain.InProject, organizationv1.Scope_RESOURCE: domain.OnResource,
}

// decodeScope reads a scope; absent is the zero one.
func decodeScope(scope *organizationv1.Scope) domain.Scope {
	return domain.Scope{Type: scopeTypes[scope.GetType()], ID: id.ParseOrZero(scope.GetId()), ResourceType: scope.GetResourceType()}
}

// decodeTime reads a time; absent is the zero one.
func decodeTime(at *timestamppb.Timestamp) time.Time {
	if at == nil {
		return time.Time{}
	}
	return at.AsTime()
}

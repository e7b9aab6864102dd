package api

import (
	"context"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/services/organization/internal/app"
)

// EvaluateAccess answers one question as AuthZEN spells it.
func (h *Handlers) EvaluateAccess(ctx context.Context, request *organizationv1.EvaluateAccessRequest) (*organizationv1.EvaluateAccessResponse, error) {
	answer, err := h.app.EvaluateAccess(ctx, decodeEvaluation(request))
	if err != nil {
		return nil, err
	}
	return encodeEvaluation(answer), nil
}

// EvaluateAccesses answers several.
func (h *Handlers) EvaluateAccesses(ctx context.Context, request *organizationv1.EvaluateAccessesRequest) (*organizationv1.EvaluateAccessesResponse, error) {
	defaults := &organizationv1.EvaluateAccessRequest{
		Subject: request.GetSubject(), Action: request.GetAction(), Resource: request.GetResource(), Context: request.GetContext(),
	}
	response := &organizationv1.EvaluateAccessesResponse{}
	if len(request.GetEvaluations()) == 0 {
		if err := rpc.Check(defaults); err != nil {
			return nil, err
		}
		answer, err := h.EvaluateAccess(ctx, defaults)
		if err != nil {
			return nil, err
		}
		response.Decision, response.Context = answer.GetDecision(), answer.GetContext()
		return response, nil
	}
	last := lastDecisions[request.GetOptions().GetEvaluationsSemantic()]
	for _, evaluation := range request.GetEvaluations() {
		answer, err := h.evaluateOne(ctx, complete(evaluation, defaults))
		if err != nil {
			return nil, err
		}
		response.Evaluations = append(response.Evaluations, answer)
		if last != nil && answer.GetDecision() == *last {
			break
		}
	}
	return response, nil
}

// badRequest is the status that a question which is wrong is answered with alone.
const badRequest = 400

// evaluateOne answers one question of several: what is wrong with it is its own answer, and none of the others'.
func (h *Handlers) evaluateOne(ctx context.Context, question *organizationv1.EvaluateAccessRequest) (*organizationv1.EvaluateAccessResponse, error) {
	err := rpc.Check(question)
	if err == nil {
		return h.EvaluateAccess(ctx, question)
	}
	refusal := errs.From(err)
	if refusal.Kind != errs.InvalidArgument {
		return nil, err
	}
	told := map[string]*structpb.Value{
		"status": structpb.NewNumberValue(badRequest), "message": structpb.NewStringValue(refusalText(refusal)),
	}
	return &organizationv1.EvaluateAccessResponse{Context: &structpb.Struct{Fields: map[string]*structpb.Value{
		"error": structpb.NewStructValue(&structpb.Struct{Fields: told}),
	}}}, nil
}

// refusalText says in one line what is wrong with a question.
func refusalText(refusal *errs.Error) string {
	wrong := make([]string, 0, len(refusal.Violations))
	for _, violation := range refusal.Violations {
		wrong = append(wrong, violation.Field+": "+violation.Message)
	}
	return strings.Join(wrong, "; ")
}

// lastDecisions are those after which nothing more is asked.
var lastDecisions = map[string]*bool{"deny_on_first_deny": new(bool), "permit_on_first_permit": proto.Bool(true)}

// complete takes from the request what a question leaves out.
func complete(question *organizationv1.EvaluateAccessesRequest_Evaluation, defaults *organizationv1.EvaluateAccessRequest) *organizationv1.EvaluateAccessRequest {
	completed := &organizationv1.EvaluateAccessRequest{
		Subject: question.GetSubject(), Action: question.GetAction(), Resource: question.GetResource(), Context: question.GetContext(),
	}
	if completed.Subject == nil {
		completed.Subject = defaults.GetSubject()
	}
	if completed.Action == nil {
		completed.Action = defaults.GetAction()
	}
	if completed.Resource == nil {
		completed.Resource = defaults.GetResource()
	}
	if completed.Context == nil {
		completed.Context = defaults.GetContext()
	}
	return completed
}

// wholeOrganization is the type of resource that stands for the whole organization.
const wholeOrganization = "organization"

func decodeEvaluation(request *organizationv1.EvaluateAccessRequest) app.Evaluation {
	resource := request.GetResource()
	property := func(name string) string { return resource.GetProperties().GetFields()[name].GetStringValue() }
	organizationID := property("organizationId")
	if organizationID == "" {
		organizationID = request.GetContext().GetFields()["organizationId"].GetStringValue()
	}
	evaluation := app.Evaluation{
		OrganizationID: id.ParseOrZero(organizationID), SubjectType: request.GetSubject().GetType(),
		Asked: app.Asked{SubjectID: id.ParseOrZero(request.GetSubject().GetId()), Permission: request.GetAction().GetName()},
	}
	if resource.GetType() == wholeOrganization {
		if evaluation.OrganizationID.IsZero() {
			evaluation.OrganizationID = id.ParseOrZero(resource.GetId())
		}
		return evaluation
	}
	evaluation.Resource = &access.Resource{Type: resource.GetType(), ID: resource.GetId(), ProjectID: property("projectId"), OwnerID: property("ownerId")}
	if resource.GetType() == "project" {
		evaluation.Resource.ProjectID = resource.GetId()
	}
	return evaluation
}

func encodeEvaluation(answer app.Access) *organizationv1.EvaluateAccessResponse {
	fields := map[string]*structpb.Value{"reason": structpb.NewStringValue(answer.Reason)}
	if answer.Revision > 0 {
		fields["accessRevision"] = structpb.NewStringValue(app.EncodeRevision(answer.Revision))
	}
	return &organizationv1.EvaluateAccessResponse{Decision: answer.Allowed, Context: &structpb.Struct{Fields: fields}}
}

// GetAuthzenConfiguration says where questions are answered.
func (h *Handlers) GetAuthzenConfiguration(context.Context, *organizationv1.GetAuthzenConfigurationRequest) (*organizationv1.GetAuthzenConfigurationResponse, error) {
	return &organizationv1.GetAuthzenConfigurationResponse{
		PolicyDecisionPoint: h.publicURL, AccessEvaluationEndpoint: h.publicURL + "/access/v1/evaluation",
		AccessEvaluationsEndpoint: h.publicURL + "/access/v1/evaluations",
	}, nil
}

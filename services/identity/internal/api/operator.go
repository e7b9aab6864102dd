package api

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/fieldmask"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/app"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// Operators implements OperatorService and OperatorUserService.
type Operators struct {
	app    *app.App
	runner idempotency.Runner
}

// NewOperators returns the handlers of both.
func NewOperators(app *app.App, runner idempotency.Runner) *Operators { return &Operators{app, runner} }

// ListOperators implements OperatorService.
func (o *Operators) ListOperators(ctx context.Context, request *identityv1.ListOperatorsRequest) (*identityv1.ListOperatorsResponse, error) {
	next, operators, err := o.app.ListOperators(ctx, list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	response := &identityv1.ListOperatorsResponse{NextPageToken: next}
	for _, operator := range operators {
		response.Operators = append(response.Operators, encodeOperator(operator))
	}
	return response, nil
}

// GetOperator implements OperatorService.
func (o *Operators) GetOperator(ctx context.Context, request *identityv1.GetOperatorRequest) (*identityv1.Operator, error) {
	operator, err := o.app.GetOperator(ctx, id.ParseOrZero(request.GetUserId()))
	if err != nil {
		return nil, err
	}
	return encodeOperator(operator), nil
}

// CreateOperator implements OperatorService.
func (o *Operators) CreateOperator(ctx context.Context, request *identityv1.CreateOperatorRequest) (*identityv1.Operator, error) {
	made, err := idempotency.Run(ctx, o.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.Operator, error) {
		made, err := o.app.CreateOperator(ctx, tx, request.GetEmail(), request.GetDisplayName(), operatorRoles[request.GetRole()])
		if err != nil {
			return nil, err
		}
		return encodeOperator(made), nil
	})
	return made, app.ExplainOperatorRace(err)
}

var operatorFields = fieldmask.For(&identityv1.Operator{})

// UpdateOperator implements OperatorService.
func (o *Operators) UpdateOperator(ctx context.Context, request *identityv1.UpdateOperatorRequest) (*identityv1.Operator, error) {
	sent := request.GetOperator()
	fields, err := operatorFields.Read(request.GetUpdateMask(), sent)
	if err != nil {
		return nil, err
	}
	var role domain.OperatorRole
	if fields.Has("role") {
		if role = operatorRoles[sent.GetRole()]; role == "" {
			return nil, errs.Invalid("operator.role", "enum.not_in", "must be SUPPORT, SYSTEM or ADMIN")
		}
	}
	return idempotency.Run(ctx, o.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.Operator, error) {
		changed, err := o.app.UpdateOperator(ctx, tx, id.ParseOrZero(request.GetUserId()), role, sent.GetEtag())
		if err != nil {
			return nil, err
		}
		return encodeOperator(changed), nil
	})
}

// DeleteOperator implements OperatorService.
func (o *Operators) DeleteOperator(ctx context.Context, request *identityv1.DeleteOperatorRequest) (*identityv1.DeleteOperatorResponse, error) {
	return idempotency.Run(ctx, o.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.DeleteOperatorResponse, error) {
		return &identityv1.DeleteOperatorResponse{}, o.app.DeleteOperator(ctx, tx, id.ParseOrZero(request.GetUserId()))
	})
}

// ResetFactors implements OperatorUserService.
func (o *Operators) ResetFactors(ctx context.Context, request *identityv1.ResetFactorsRequest) (*identityv1.ResetFactorsResponse, error) {
	return idempotency.Run(ctx, o.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.ResetFactorsResponse, error) {
		return &identityv1.ResetFactorsResponse{}, o.app.ResetFactors(ctx, tx, id.ParseOrZero(request.GetUserId()), request.GetReason())
	})
}

var operatorRoles = map[identityv1.Operator_Role]domain.OperatorRole{
	identityv1.Operator_SUPPORT: domain.Support, identityv1.Operator_SYSTEM: domain.System, identityv1.Operator_ADMIN: domain.Admin,
}

func encodeOperator(operator domain.Operator) *identityv1.Operator {
	encoded := &identityv1.Operator{
		UserId: operator.UserID.String(), Email: operator.Email, Secured: operator.Secured, CreatorId: operator.CreatorID.String(),
		CreateTime: timestamppb.New(operator.CreatedAt), UpdateTime: timestamppb.New(operator.UpdatedAt), Etag: operator.Etag(),
	}
	for role, known := range operatorRoles {
		if known == operator.Role {
			encoded.Role = role
		}
	}
	return encoded
}

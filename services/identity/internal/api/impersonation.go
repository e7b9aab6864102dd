package api

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/app"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// Impersonations implements ImpersonationService.
type Impersonations struct {
	app    *app.App
	runner idempotency.Runner
}

// NewImpersonations returns the handlers of ImpersonationService.
func NewImpersonations(app *app.App, runner idempotency.Runner) *Impersonations {
	return &Impersonations{app, runner}
}

// CreateImpersonation implements ImpersonationService.
func (i *Impersonations) CreateImpersonation(ctx context.Context, request *identityv1.CreateImpersonationRequest) (*identityv1.CreateImpersonationResponse, error) {
	organizationID, userID := id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetUserId())
	grant, err := i.app.FindGrant(ctx, organizationID, userID)
	if err != nil {
		return nil, err
	}
	return idempotency.Run(ctx, i.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.CreateImpersonationResponse, error) {
		begun, accessToken, err := i.app.Impersonate(ctx, tx, grant, organizationID, userID, request.GetReason())
		if err != nil {
			return nil, err
		}
		return &identityv1.CreateImpersonationResponse{Impersonation: encodeImpersonation(begun), AccessToken: accessToken}, nil
	})
}

// ListImpersonations implements ImpersonationService.
func (i *Impersonations) ListImpersonations(ctx context.Context, request *identityv1.ListImpersonationsRequest) (*identityv1.ListImpersonationsResponse, error) {
	next, listed, err := i.app.ListImpersonations(ctx, list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	response := &identityv1.ListImpersonationsResponse{NextPageToken: next}
	for _, one := range listed {
		response.Impersonations = append(response.Impersonations, encodeImpersonation(one))
	}
	return response, nil
}

// DeleteImpersonation implements ImpersonationService.
func (i *Impersonations) DeleteImpersonation(ctx context.Context, request *identityv1.DeleteImpersonationRequest) (*identityv1.Impersonation, error) {
	return idempotency.Run(ctx, i.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.Impersonation, error) {
		ended, err := i.app.EndImpersonation(ctx, tx, id.ParseOrZero(request.GetImpersonationId()))
		if err != nil {
			return nil, err
		}
		return encodeImpersonation(ended), nil
	})
}

func encodeImpersonation(one domain.Impersonation) *identityv1.Impersonation {
	encoded := &identityv1.Impersonation{
		Id: one.ID.String(), OperatorId: one.OperatorID.String(), UserId: one.UserID.String(), OrganizationId: one.OrganizationID.String(),
		SupportGrantId: one.GrantID.String(), Writes: one.Writes, Reason: one.Reason,
		CreateTime: timestamppb.New(one.CreatedAt), ExpireTime: timestamppb.New(one.ExpiresAt),
	}
	if !one.EndedAt.IsZero() {
		encoded.EndTime = timestamppb.New(one.EndedAt)
	}
	return encoded
}

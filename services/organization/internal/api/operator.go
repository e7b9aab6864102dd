package api

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/app"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// FindOrganizations lists the deployment's organizations for an operator.
func (h *Handlers) FindOrganizations(ctx context.Context, request *organizationv1.FindOrganizationsRequest) (*organizationv1.FindOrganizationsResponse, error) {
	next, found, err := h.app.FindOrganizations(ctx, list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	response := &organizationv1.FindOrganizationsResponse{NextPageToken: next}
	for _, organization := range found {
		response.Organizations = append(response.Organizations, encodeFound(organization))
	}
	return response, nil
}

// SuspendFoundOrganization leaves an organization to be read only.
func (h *Handlers) SuspendFoundOrganization(ctx context.Context, request *organizationv1.SuspendFoundOrganizationRequest) (*organizationv1.FoundOrganization, error) {
	return h.changeFound(ctx, func(ctx context.Context, tx *pg.Tx) (domain.FoundOrganization, error) {
		return h.app.SuspendFound(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), request.GetReason())
	})
}

// ResumeFoundOrganization ends a suspension.
func (h *Handlers) ResumeFoundOrganization(ctx context.Context, request *organizationv1.ResumeFoundOrganizationRequest) (*organizationv1.FoundOrganization, error) {
	return h.changeFound(ctx, func(ctx context.Context, tx *pg.Tx) (domain.FoundOrganization, error) {
		return h.app.ResumeFound(ctx, tx, id.ParseOrZero(request.GetOrganizationId()))
	})
}

// changeFound answers with an organization as it was just written.
func (h *Handlers) changeFound(ctx context.Context, change func(context.Context, *pg.Tx) (domain.FoundOrganization, error)) (*organizationv1.FoundOrganization, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.FoundOrganization, error) {
		changed, err := change(ctx, tx)
		if err != nil {
			return nil, err
		}
		return encodeFound(changed), nil
	})
}

func encodeFound(found domain.FoundOrganization) *organizationv1.FoundOrganization {
	return &organizationv1.FoundOrganization{
		Id: found.ID.String(), DisplayName: found.DisplayName, Slug: found.Slug, State: app.OrganizationStates[found.State],
		SuspensionReason: found.SuspensionReason, CreateTime: timestamppb.New(found.CreatedAt), MemberCount: found.Members, TeamCount: found.Teams,
	}
}

package api

import (
	"context"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/id"
)

// ListSoleOwnerships answers identity about somebody who wants to go.
func (h *Handlers) ListSoleOwnerships(ctx context.Context, request *organizationv1.ListSoleOwnershipsRequest) (*organizationv1.ListSoleOwnershipsResponse, error) {
	alone, err := h.app.ListSoleOwnerships(ctx, id.ParseOrZero(request.GetUserId()))
	if err != nil {
		return nil, err
	}
	response := &organizationv1.ListSoleOwnershipsResponse{}
	for _, organizationID := range alone {
		response.OrganizationIds = append(response.OrganizationIds, organizationID.String())
	}
	return response, nil
}

package api

import (
	"context"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/id"
)

// ListActiveOwners answers another service with who is to hear of something.
func (h *Handlers) ListActiveOwners(ctx context.Context, request *organizationv1.ListActiveOwnersRequest) (*organizationv1.ListActiveOwnersResponse, error) {
	owners, name, err := h.app.ActiveOwners(ctx, id.ParseOrZero(request.GetOrganizationId()))
	if err != nil {
		return nil, err
	}
	answer := &organizationv1.ListActiveOwnersResponse{OrganizationDisplayName: name}
	for _, owner := range owners {
		answer.UserIds = append(answer.UserIds, owner.String())
	}
	return answer, nil
}

package api

import (
	"context"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/id"
)

// GetInvitedAddress answers identity about a token.
func (h *Handlers) GetInvitedAddress(ctx context.Context, request *organizationv1.GetInvitedAddressRequest) (*organizationv1.GetInvitedAddressResponse, error) {
	mail, err := h.app.InvitedAddress(ctx, request.GetToken())
	if err != nil {
		return nil, err
	}
	return &organizationv1.GetInvitedAddressResponse{
		Email: mail.Invitation.Email, OrganizationDisplayName: mail.OrganizationDisplayName,
	}, nil
}

// JoinInvited makes a user who has just registered a member.
func (h *Handlers) JoinInvited(ctx context.Context, request *organizationv1.JoinInvitedRequest) (*organizationv1.JoinInvitedResponse, error) {
	joined, err := h.app.JoinInvited(ctx, request.GetToken(), id.ParseOrZero(request.GetUserId()))
	if err != nil {
		return nil, err
	}
	return &organizationv1.JoinInvitedResponse{OrganizationId: joined.OrganizationID.String()}, nil
}

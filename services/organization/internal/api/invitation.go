package api

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// CreateInvitation invites an address.
func (h *Handlers) CreateInvitation(ctx context.Context, request *organizationv1.CreateInvitationRequest) (*organizationv1.Invitation, error) {
	return h.changeInvitation(ctx, func(ctx context.Context, tx *pg.Tx) (domain.Invitation, error) {
		return h.app.CreateInvitation(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), request.GetEmail(), request.GetRoleId())
	})
}

// ListInvitations lists the invitations.
func (h *Handlers) ListInvitations(ctx context.Context, request *organizationv1.ListInvitationsRequest) (*organizationv1.ListInvitationsResponse, error) {
	next, invitations, err := h.app.ListInvitations(ctx, id.ParseOrZero(request.GetOrganizationId()), list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	response := &organizationv1.ListInvitationsResponse{NextPageToken: next}
	for _, invitation := range invitations {
		response.Invitations = append(response.Invitations, encodeInvitation(invitation))
	}
	return response, nil
}

// RevokeInvitation takes back a pending invitation.
func (h *Handlers) RevokeInvitation(ctx context.Context, request *organizationv1.RevokeInvitationRequest) (*organizationv1.Invitation, error) {
	return h.changeInvitation(ctx, func(ctx context.Context, tx *pg.Tx) (domain.Invitation, error) {
		return h.app.RevokeInvitation(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetInvitationId()))
	})
}

// ResendInvitation mails a pending invitation again.
func (h *Handlers) ResendInvitation(ctx context.Context, request *organizationv1.ResendInvitationRequest) (*organizationv1.Invitation, error) {
	return h.changeInvitation(ctx, func(ctx context.Context, tx *pg.Tx) (domain.Invitation, error) {
		return h.app.ResendInvitation(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetInvitationId()))
	})
}

// changeInvitation answers with an invitation as it was just written.
func (h *Handlers) changeInvitation(ctx context.Context, change func(context.Context, *pg.Tx) (domain.Invitation, error)) (*organizationv1.Invitation, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.Invitation, error) {
		changed, err := change(ctx, tx)
		if err != nil {
			return nil, err
		}
		return encodeInvitation(changed), nil
	})
}

// AcceptInvitation makes the caller a member.
func (h *Handlers) AcceptInvitation(ctx context.Context, request *organizationv1.AcceptInvitationRequest) (*organizationv1.AcceptInvitationResponse, error) {
	answer, err := h.app.FindInvitation(ctx, request.GetToken())
	if err != nil {
		return nil, err
	}
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.AcceptInvitationResponse, error) {
		joined, err := h.app.AcceptInvitation(ctx, tx, answer)
		if err != nil {
			return nil, err
		}
		return &organizationv1.AcceptInvitationResponse{OrganizationId: joined.OrganizationID.String(), Member: encodeMember(joined)}, nil
	})
}

// RejectInvitation declines.
func (h *Handlers) RejectInvitation(ctx context.Context, request *organizationv1.RejectInvitationRequest) (*organizationv1.RejectInvitationResponse, error) {
	answer, err := h.app.FindInvitation(ctx, request.GetToken())
	if err != nil {
		return nil, err
	}
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.RejectInvitationResponse, error) {
		if err := h.app.RejectInvitation(ctx, tx, answer); err != nil {
			return nil, err
		}
		return &organizationv1.RejectInvitationResponse{}, nil
	})
}

// GetInvitationMail answers notification with what to mail. Nothing of one that is not pending is told.
func (h *Handlers) GetInvitationMail(ctx context.Context, request *organizationv1.GetInvitationMailRequest) (*organizationv1.GetInvitationMailResponse, error) {
	mail, err := h.app.GetInvitationMail(ctx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetInvitationId()))
	if err != nil {
		return nil, err
	}
	if mail.Token == "" {
		return &organizationv1.GetInvitationMailResponse{}, nil
	}
	return &organizationv1.GetInvitationMailResponse{
		Email: mail.Invitation.Email, OrganizationDisplayName: mail.OrganizationDisplayName,
		InviterDisplayName: mail.InviterDisplayName, Token: mail.Token,
		ExpireTime: timestamppb.New(mail.Invitation.ExpiresAt), Pending: true,
	}, nil
}

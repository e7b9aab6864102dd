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

// BatchCreateInvitations invites many addresses.
func (h *Handlers) BatchCreateInvitations(ctx context.Context, request *organizationv1.BatchCreateInvitationsRequest) (*organizationv1.BatchCreateInvitationsResponse, error) {
	invitees := make([]app.Invitee, 0, len(request.GetRows()))
	for _, row := range request.GetRows() {
		invitees = append(invitees, app.Invitee{Email: row.GetEmail(), RoleID: row.GetRoleId()})
	}
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.BatchCreateInvitationsResponse, error) {
		invited, err := h.app.CreateInvitations(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), invitees)
		if err != nil {
			return nil, err
		}
		response := &organizationv1.BatchCreateInvitationsResponse{}
		for _, row := range invited {
			result := &organizationv1.BatchCreateInvitationsResponse_Result{}
			if row.Refusal != nil {
				result.Reason, result.Message = row.Refusal.Reason, row.Refusal.Message
				if violations := row.Refusal.Violations; len(violations) > 0 {
					result.Field, result.Message = violations[0].Field, violations[0].Message
				}
			} else {
				result.Invitation = encodeInvitation(row.Invitation)
				response.CreatedCount++
			}
			response.Results = append(response.Results, result)
		}
		return response, nil
	})
}

// CreateInvitationLink makes a link.
func (h *Handlers) CreateInvitationLink(ctx context.Context, request *organizationv1.CreateInvitationLinkRequest) (*organizationv1.CreateInvitationLinkResponse, error) {
	wanted := domain.InvitationLink{RoleID: request.GetRoleId(), MaxUses: request.GetMaxUses(), EmailDomain: request.GetEmailDomain()}
	if request.GetExpireTime() != nil {
		wanted.ExpiresAt = request.GetExpireTime().AsTime()
	}
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.CreateInvitationLinkResponse, error) {
		link, token, err := h.app.CreateInvitationLink(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), wanted)
		if err != nil {
			return nil, err
		}
		return &organizationv1.CreateInvitationLinkResponse{InvitationLink: h.encodeInvitationLink(link), Token: token}, nil
	})
}

// ListInvitationLinks lists the links.
func (h *Handlers) ListInvitationLinks(ctx context.Context, request *organizationv1.ListInvitationLinksRequest) (*organizationv1.ListInvitationLinksResponse, error) {
	next, links, err := h.app.ListInvitationLinks(ctx, id.ParseOrZero(request.GetOrganizationId()), list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	response := &organizationv1.ListInvitationLinksResponse{NextPageToken: next}
	for _, link := range links {
		response.InvitationLinks = append(response.InvitationLinks, h.encodeInvitationLink(link))
	}
	return response, nil
}

// RevokeInvitationLink ends a link.
func (h *Handlers) RevokeInvitationLink(ctx context.Context, request *organizationv1.RevokeInvitationLinkRequest) (*organizationv1.InvitationLink, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.InvitationLink, error) {
		link, err := h.app.RevokeInvitationLink(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetInvitationLinkId()))
		if err != nil {
			return nil, err
		}
		return h.encodeInvitationLink(link), nil
	})
}

// AcceptInvitationLink makes the caller a member.
func (h *Handlers) AcceptInvitationLink(ctx context.Context, request *organizationv1.AcceptInvitationLinkRequest) (*organizationv1.AcceptInvitationLinkResponse, error) {
	use, err := h.app.FindInvitationLink(ctx, request.GetToken())
	if err != nil {
		return nil, err
	}
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.AcceptInvitationLinkResponse, error) {
		joined, err := h.app.AcceptInvitationLink(ctx, tx, use)
		if err != nil {
			return nil, err
		}
		return &organizationv1.AcceptInvitationLinkResponse{OrganizationId: joined.OrganizationID.String(), Member: encodeMember(joined)}, nil
	})
}

var linkStates = map[domain.LinkState]organizationv1.InvitationLink_State{
	domain.LinkActive: organizationv1.InvitationLink_ACTIVE, domain.LinkUsedUp: organizationv1.InvitationLink_USED_UP,
	domain.LinkRevoked: organizationv1.InvitationLink_REVOKED, domain.LinkExpired: organizationv1.InvitationLink_EXPIRED,
}

// encodeInvitationLink shows a link with the state that it has at this moment.
func (h *Handlers) encodeInvitationLink(link domain.InvitationLink) *organizationv1.InvitationLink {
	return &organizationv1.InvitationLink{
		Id: link.ID.String(), RoleId: link.RoleID, MaxUses: link.MaxUses, Uses: link.Uses, EmailDomain: link.EmailDomain,
		State: linkStates[link.State(h.now())], CreatorId: link.CreatorID.String(),
		CreateTime: timestamppb.New(link.CreatedAt), ExpireTime: timestamppb.New(link.ExpiresAt),
	}
}

func (h *Handlers) now() time.Time { return h.app.Clock.Now() }

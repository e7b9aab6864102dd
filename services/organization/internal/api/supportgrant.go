package api

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/fieldmask"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/app"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

var supportGrantFields = fieldmask.For(&organizationv1.SupportGrant{})

var supportAccesses = map[organizationv1.SupportGrant_Access]domain.SupportAccess{
	organizationv1.SupportGrant_READ: domain.SupportRead, organizationv1.SupportGrant_WRITE: domain.SupportWrite,
}

// CreateSupportGrant lets operators in.
func (h *Handlers) CreateSupportGrant(ctx context.Context, request *organizationv1.CreateSupportGrantRequest) (*organizationv1.SupportGrant, error) {
	wanted := domain.SupportGrant{Access: supportAccesses[request.GetAccess()], Reason: request.GetReason()}
	if request.GetExpireTime() != nil {
		wanted.ExpiresAt = request.GetExpireTime().AsTime()
	}
	return h.changeSupportGrant(ctx, func(ctx context.Context, tx *pg.Tx) (domain.SupportGrant, error) {
		return h.app.CreateSupportGrant(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), wanted)
	})
}

// GetSupportGrant returns a grant.
func (h *Handlers) GetSupportGrant(ctx context.Context, request *organizationv1.GetSupportGrantRequest) (*organizationv1.SupportGrant, error) {
	grant, err := h.app.GetSupportGrant(ctx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetSupportGrantId()))
	if err != nil {
		return nil, err
	}
	return app.EncodeSupportGrant(grant, h.now()), nil
}

// ListSupportGrants lists the grants.
func (h *Handlers) ListSupportGrants(ctx context.Context, request *organizationv1.ListSupportGrantsRequest) (*organizationv1.ListSupportGrantsResponse, error) {
	next, grants, err := h.app.ListSupportGrants(ctx, id.ParseOrZero(request.GetOrganizationId()), list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	response := &organizationv1.ListSupportGrantsResponse{NextPageToken: next}
	for _, grant := range grants {
		response.SupportGrants = append(response.SupportGrants, app.EncodeSupportGrant(grant, h.now()))
	}
	return response, nil
}

// UpdateSupportGrant changes a live grant.
func (h *Handlers) UpdateSupportGrant(ctx context.Context, request *organizationv1.UpdateSupportGrantRequest) (*organizationv1.SupportGrant, error) {
	wanted := request.GetSupportGrant()
	fields, err := supportGrantFields.Read(request.GetUpdateMask(), wanted)
	if err != nil {
		return nil, err
	}
	change := app.SupportGrantChange{Etag: wanted.GetEtag()}
	if fields.Has("access") {
		access := supportAccesses[wanted.GetAccess()]
		change.Access = &access
	}
	if fields.Has("reason") {
		change.Reason = &wanted.Reason
	}
	if fields.Has("expire_time") {
		expires := wanted.GetExpireTime().AsTime()
		change.Expires = &expires
	}
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.SupportGrant, error) {
		updated, err := h.app.UpdateSupportGrant(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetSupportGrantId()), change)
		if err != nil {
			return nil, err
		}
		encoded := app.EncodeSupportGrant(updated, h.now())
		return encoded, fields.Keeps(encoded, "support_grant")
	})
}

// DeleteSupportGrant ends a grant.
func (h *Handlers) DeleteSupportGrant(ctx context.Context, request *organizationv1.DeleteSupportGrantRequest) (*organizationv1.SupportGrant, error) {
	return h.changeSupportGrant(ctx, func(ctx context.Context, tx *pg.Tx) (domain.SupportGrant, error) {
		return h.app.RevokeSupportGrant(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetSupportGrantId()))
	})
}

// BreakGlass lets the calling operator in.
func (h *Handlers) BreakGlass(ctx context.Context, request *organizationv1.BreakGlassRequest) (*organizationv1.SupportGrant, error) {
	return h.changeSupportGrant(ctx, func(ctx context.Context, tx *pg.Tx) (domain.SupportGrant, error) {
		return h.app.BreakGlass(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), request.GetReason())
	})
}

func (h *Handlers) changeSupportGrant(ctx context.Context, change func(context.Context, *pg.Tx) (domain.SupportGrant, error)) (*organizationv1.SupportGrant, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.SupportGrant, error) {
		changed, err := change(ctx, tx)
		if err != nil {
			return nil, err
		}
		return app.EncodeSupportGrant(changed, h.now()), nil
	})
}

// GetSupportAccess answers another service with the temporary membership of an operator.
func (h *Handlers) GetSupportAccess(ctx context.Context, request *organizationv1.GetSupportAccessRequest) (*organizationv1.GetSupportAccessResponse, error) {
	grant, catalog, granted, err := h.app.GetSupportAccess(ctx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetOperatorId()), request.GetOperatorRole())
	if err != nil || !granted {
		return &organizationv1.GetSupportAccessResponse{}, err
	}
	answer := &organizationv1.GetSupportAccessResponse{
		Granted: true, SupportGrantId: grant.ID.String(), Access: app.SupportAccesses[grant.Access], RoleId: grant.Access.Role(),
		ExpireTime: timestamppb.New(grant.ExpiresAt), CreateTime: timestamppb.New(grant.CreatedAt), AccessRevision: catalog.AccessRevision,
		OrganizationState: app.OrganizationStates[catalog.State],
	}
	if catalog.Policy.Revision > 0 {
		answer.Policy = app.EncodePolicy(catalog.Policy)
	}
	return answer, nil
}

// GetSupportGrantMail answers notification with what to mail.
func (h *Handlers) GetSupportGrantMail(ctx context.Context, request *organizationv1.GetSupportGrantMailRequest) (*organizationv1.GetSupportGrantMailResponse, error) {
	grant, organization, err := h.app.GetSupportGrantMail(ctx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetSupportGrantId()))
	if err != nil {
		return nil, err
	}
	return &organizationv1.GetSupportGrantMailResponse{
		OrganizationDisplayName: organization.DisplayName, SupportGrant: app.EncodeSupportGrant(grant, h.now()),
	}, nil
}

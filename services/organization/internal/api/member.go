package api

import (
	"context"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/fieldmask"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/app"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// ListMembers lists the members.
func (h *Handlers) ListMembers(ctx context.Context, request *organizationv1.ListMembersRequest) (*organizationv1.ListMembersResponse, error) {
	next, members, err := h.app.ListMembers(ctx, id.ParseOrZero(request.GetOrganizationId()), list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	response := &organizationv1.ListMembersResponse{NextPageToken: next}
	for _, member := range members {
		response.Members = append(response.Members, encodeMember(member))
	}
	return response, nil
}

var memberFields = fieldmask.For(&organizationv1.Member{})

// UpdateMember replaces a member's roles.
func (h *Handlers) UpdateMember(ctx context.Context, request *organizationv1.UpdateMemberRequest) (*organizationv1.Member, error) {
	wanted := request.GetMember()
	fields, err := memberFields.Read(request.GetUpdateMask(), wanted)
	if err != nil {
		return nil, err
	}
	var roleIDs []string
	if fields.Has("role_ids") {
		roleIDs = wanted.GetRoleIds()
		if err := domain.CheckRoleIDs("member.roleIds", roleIDs); err != nil {
			return nil, err
		}
	}
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.Member, error) {
		updated, err := h.app.UpdateMember(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetUserId()), roleIDs, wanted.GetEtag())
		if err != nil {
			return nil, err
		}
		encoded := encodeMember(updated)
		return encoded, fields.Keeps(encoded, "member")
	})
}

// RemoveMember takes a member out, or lets the caller leave.
func (h *Handlers) RemoveMember(ctx context.Context, request *organizationv1.RemoveMemberRequest) (*organizationv1.RemoveMemberResponse, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.RemoveMemberResponse, error) {
		revision, err := h.app.RemoveMember(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetUserId()))
		if err != nil {
			return nil, err
		}
		return &organizationv1.RemoveMemberResponse{AccessRevision: app.EncodeRevision(revision)}, nil
	})
}

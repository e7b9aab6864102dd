package api

import (
	"context"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// SuspendMember keeps a member out.
func (h *Handlers) SuspendMember(ctx context.Context, request *organizationv1.SuspendMemberRequest) (*organizationv1.Member, error) {
	return h.changeMember(ctx, func(ctx context.Context, tx *pg.Tx) (domain.Membership, error) {
		return h.app.SuspendMember(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetUserId()), request.GetReason())
	})
}

// ResumeMember lets a suspended member act again.
func (h *Handlers) ResumeMember(ctx context.Context, request *organizationv1.ResumeMemberRequest) (*organizationv1.Member, error) {
	return h.changeMember(ctx, func(ctx context.Context, tx *pg.Tx) (domain.Membership, error) {
		return h.app.ResumeMember(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetUserId()))
	})
}

// changeMember answers with a member as they were just written.
func (h *Handlers) changeMember(ctx context.Context, change func(context.Context, *pg.Tx) (domain.Membership, error)) (*organizationv1.Member, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.Member, error) {
		changed, err := change(ctx, tx)
		if err != nil {
			return nil, err
		}
		return encodeMember(changed), nil
	})
}

package api

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// TransferOwnership offers the caller's place as an owner.
func (h *Handlers) TransferOwnership(ctx context.Context, request *organizationv1.TransferOwnershipRequest) (*organizationv1.OwnershipTransfer, error) {
	return h.changeTransfer(ctx, func(ctx context.Context, tx *pg.Tx) (domain.Transfer, error) {
		return h.app.OfferOwnership(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetUserId()))
	})
}

// AcceptOwnership makes the caller an owner.
func (h *Handlers) AcceptOwnership(ctx context.Context, request *organizationv1.AcceptOwnershipRequest) (*organizationv1.OwnershipTransfer, error) {
	return h.changeTransfer(ctx, func(ctx context.Context, tx *pg.Tx) (domain.Transfer, error) {
		return h.app.AcceptOwnership(ctx, tx, id.ParseOrZero(request.GetOrganizationId()))
	})
}

func (h *Handlers) changeTransfer(ctx context.Context, change func(context.Context, *pg.Tx) (domain.Transfer, error)) (*organizationv1.OwnershipTransfer, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.OwnershipTransfer, error) {
		changed, err := change(ctx, tx)
		if err != nil {
			return nil, err
		}
		encoded := encodeTransfer(changed)
		encoded.AccessRevision = writtenRevision(ctx)
		return encoded, nil
	})
}

// CancelOwnershipTransfer takes the open offer back.
func (h *Handlers) CancelOwnershipTransfer(ctx context.Context, request *organizationv1.CancelOwnershipTransferRequest) (*organizationv1.CancelOwnershipTransferResponse, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.CancelOwnershipTransferResponse, error) {
		return &organizationv1.CancelOwnershipTransferResponse{}, h.app.CancelTransfer(ctx, tx, id.ParseOrZero(request.GetOrganizationId()))
	})
}

// GetOwnershipTransfer returns the open offer.
func (h *Handlers) GetOwnershipTransfer(ctx context.Context, request *organizationv1.GetOwnershipTransferRequest) (*organizationv1.OwnershipTransfer, error) {
	open, err := h.app.GetTransfer(ctx, id.ParseOrZero(request.GetOrganizationId()))
	if err != nil {
		return nil, err
	}
	return encodeTransfer(open), nil
}

// GetOwnershipMail answers notification with what to mail. Nothing of an offer that is not open is told.
func (h *Handlers) GetOwnershipMail(ctx context.Context, request *organizationv1.GetOwnershipMailRequest) (*organizationv1.GetOwnershipMailResponse, error) {
	mail, pending, err := h.app.GetTransferMail(ctx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetTransferId()))
	if err != nil || !pending {
		return &organizationv1.GetOwnershipMailResponse{}, err
	}
	return &organizationv1.GetOwnershipMailResponse{
		Email: mail.Email, OrganizationDisplayName: mail.OrganizationDisplayName, OwnerDisplayName: mail.OwnerDisplayName,
		ExpireTime: timestamppb.New(mail.Transfer.ExpiresAt), Pending: true,
	}, nil
}

package api

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/deletion"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/app"
)

// DeleteOrganization asks for an organization's deletion.
func (h *Handlers) DeleteOrganization(ctx context.Context, request *organizationv1.DeleteOrganizationRequest) (*organizationv1.Deletion, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.Deletion, error) {
		requested, err := h.app.DeleteOrganization(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), request.GetConfirmName())
		if err != nil {
			return nil, err
		}
		return encodeDeletion(requested), nil
	})
}

// CancelDeletion calls a deletion off.
func (h *Handlers) CancelDeletion(ctx context.Context, request *organizationv1.CancelDeletionRequest) (*organizationv1.Deletion, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.Deletion, error) {
		cancelled, err := h.app.CancelDeletion(ctx, tx, id.ParseOrZero(request.GetOrganizationId()))
		if err != nil {
			return nil, err
		}
		return encodeDeletion(cancelled), nil
	})
}

// GetDeletion returns the latest deletion of an organization.
func (h *Handlers) GetDeletion(ctx context.Context, request *organizationv1.GetDeletionRequest) (*organizationv1.Deletion, error) {
	found, err := h.app.GetDeletion(ctx, id.ParseOrZero(request.GetOrganizationId()))
	if err != nil {
		return nil, err
	}
	return encodeDeletion(found), nil
}

// SuspendOrganization leaves an organization to be read only.
func (h *Handlers) SuspendOrganization(ctx context.Context, request *organizationv1.SuspendOrganizationRequest) (*organizationv1.SuspendOrganizationResponse, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.SuspendOrganizationResponse, error) {
		err := h.app.SuspendOrganization(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), request.GetReason())
		return &organizationv1.SuspendOrganizationResponse{}, err
	})
}

// ResumeOrganization ends a suspension.
func (h *Handlers) ResumeOrganization(ctx context.Context, request *organizationv1.ResumeOrganizationRequest) (*organizationv1.ResumeOrganizationResponse, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.ResumeOrganizationResponse, error) {
		err := h.app.ResumeOrganization(ctx, tx, id.ParseOrZero(request.GetOrganizationId()))
		return &organizationv1.ResumeOrganizationResponse{}, err
	})
}

var deletionStates = map[deletion.State]organizationv1.Deletion_State{
	deletion.AwaitingStart: organizationv1.Deletion_PENDING,
	deletion.Preparing:     organizationv1.Deletion_PREPARING,
	deletion.Erasing:       organizationv1.Deletion_ERASING,
	deletion.Deleted:       organizationv1.Deletion_DELETED,
	deletion.Cancelled:     organizationv1.Deletion_CANCELLED,
	deletion.Failed:        organizationv1.Deletion_FAILED,
}

var stepStates = map[deletion.StepState]organizationv1.DeletionStep_State{
	deletion.StepPreparing: organizationv1.DeletionStep_PREPARING,
	deletion.StepPrepared:  organizationv1.DeletionStep_PREPARED,
	deletion.StepRefused:   organizationv1.DeletionStep_REFUSED,
	deletion.StepErasing:   organizationv1.DeletionStep_ERASING,
	deletion.StepErased:    organizationv1.DeletionStep_ERASED,
}

func encodeDeletion(shown app.Deletion) *organizationv1.Deletion {
	encoded := &organizationv1.Deletion{
		OrganizationId: shown.SubjectID.String(), State: deletionStates[shown.State],
		RequesterId: shown.RequesterID.String(), RequestTime: timestamppb.New(shown.RequestedAt),
		StartTime: timestamppb.New(shown.StartedAt), EraseTime: encodeTime(shown.ErasingAt), EndTime: encodeTime(shown.EndedAt),
		FailureReason: shown.FailureReason,
	}
	for _, step := range shown.Steps {
		encoded.Steps = append(encoded.Steps, &organizationv1.DeletionStep{
			Service: step.Service, State: stepStates[step.State], Attempts: int32(step.Attempts), Failures: int32(step.Failures), //nolint:gosec // Both are an int32 in the table.
			LastError: step.LastError, ErasedRows: step.ErasedRows,
			AskTime: timestamppb.New(step.AskedAt), AnswerTime: encodeTime(step.AnsweredAt),
		})
	}
	return encoded
}

// encodeTime leaves out what has not happened.
func encodeTime(moment *time.Time) *timestamppb.Timestamp {
	if moment == nil {
		return nil
	}
	return timestamppb.New(*moment)
}

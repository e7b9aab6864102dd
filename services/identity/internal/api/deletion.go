package api

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/app"
)

// Deletion implements AccountDeletionService and AccountDeletionMailService.
type Deletion struct {
	app    *app.App
	runner idempotency.Runner
}

// NewDeletion returns the handlers of both.
func NewDeletion(app *app.App, runner idempotency.Runner) *Deletion { return &Deletion{app, runner} }

// DeleteMe implements AccountDeletionService.
func (d *Deletion) DeleteMe(ctx context.Context, _ *identityv1.DeleteMeRequest) (*identityv1.DeleteMeResponse, error) {
	if err := d.app.CheckNotMissed(ctx); err != nil {
		return nil, err
	}
	return idempotency.Run(ctx, d.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.DeleteMeResponse, error) {
		begins, err := d.app.DeleteMe(ctx, tx)
		if err != nil {
			return nil, err
		}
		return &identityv1.DeleteMeResponse{StartTime: timestamppb.New(begins)}, nil
	})
}

// CancelMyDeletion implements AccountDeletionService.
func (d *Deletion) CancelMyDeletion(ctx context.Context, request *identityv1.CancelMyDeletionRequest) (*identityv1.CancelMyDeletionResponse, error) {
	if err := d.app.CancelMyDeletion(ctx, request.GetCancellationToken()); err != nil {
		return nil, err
	}
	return &identityv1.CancelMyDeletionResponse{}, nil
}

// GetAccountDeletionMail implements AccountDeletionMailService.
func (d *Deletion) GetAccountDeletionMail(ctx context.Context, request *identityv1.GetAccountDeletionMailRequest) (*identityv1.GetAccountDeletionMailResponse, error) {
	mail, err := d.app.GetDeletionMail(ctx, id.ParseOrZero(request.GetUserId()))
	if err != nil {
		return nil, err
	}
	return &identityv1.GetAccountDeletionMailResponse{
		Email: mail.Email, DisplayName: mail.DisplayName, StartTime: timestamppb.New(mail.StartedAt), FailureReason: mail.FailureReason,
	}, nil
}

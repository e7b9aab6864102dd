package api

import (
	"context"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/app"
)

// Email implements EmailService.
type Email struct {
	app    *app.App
	runner idempotency.Runner
}

// NewEmail returns the handlers of EmailService.
func NewEmail(app *app.App, runner idempotency.Runner) *Email { return &Email{app, runner} }

// ResendVerification implements EmailService.
func (e *Email) ResendVerification(ctx context.Context, request *identityv1.ResendVerificationRequest) (*identityv1.ResendVerificationResponse, error) {
	if err := e.app.ResendVerification(ctx, request.GetEmail()); err != nil {
		return nil, err
	}
	return &identityv1.ResendVerificationResponse{}, nil
}

// ChangeEmail implements EmailService.
func (e *Email) ChangeEmail(ctx context.Context, request *identityv1.ChangeEmailRequest) (*identityv1.ChangeEmailResponse, error) {
	return idempotency.Run(ctx, e.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.ChangeEmailResponse, error) {
		return &identityv1.ChangeEmailResponse{}, e.app.ChangeEmail(ctx, tx, request.GetNewEmail())
	})
}

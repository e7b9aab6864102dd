package api

import (
	"context"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/app"
)

// MemberFactors implements MemberFactorService.
type MemberFactors struct {
	app    *app.App
	runner idempotency.Runner
}

// NewMemberFactors returns the handlers of MemberFactorService.
func NewMemberFactors(app *app.App, runner idempotency.Runner) *MemberFactors {
	return &MemberFactors{app, runner}
}

// ResetMemberFactors implements MemberFactorService.
func (m *MemberFactors) ResetMemberFactors(ctx context.Context, request *identityv1.ResetMemberFactorsRequest) (*identityv1.ResetMemberFactorsResponse, error) {
	userID := id.ParseOrZero(request.GetUserId())
	if err := m.app.CheckAnswersFor(ctx, userID); err != nil {
		return nil, err
	}
	return idempotency.Run(ctx, m.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.ResetMemberFactorsResponse, error) {
		return &identityv1.ResetMemberFactorsResponse{}, m.app.ResetMemberFactors(ctx, tx, userID, request.GetReason())
	})
}

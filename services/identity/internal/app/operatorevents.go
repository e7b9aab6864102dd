package app

import (
	"context"
	"strings"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

func (a *App) operatorCreated(ctx context.Context, tx *pg.Tx, made domain.Operator) error {
	return a.tellUser(ctx, tx, made.UserID, "operator/"+made.UserID.String(), &identityv1.OperatorCreated{
		UserId: made.UserID.String(), Role: roleName(made.Role),
	})
}

func (a *App) operatorUpdated(ctx context.Context, tx *pg.Tx, changed domain.Operator, before domain.OperatorRole) error {
	return a.tellUser(ctx, tx, changed.UserID, "operator/"+changed.UserID.String(), &identityv1.OperatorUpdated{
		UserId: changed.UserID.String(), Role: roleName(changed.Role), PreviousRole: roleName(before),
	})
}

func (a *App) operatorRemoved(ctx context.Context, tx *pg.Tx, removed domain.Operator) error {
	return a.tellUser(ctx, tx, removed.UserID, "operator/"+removed.UserID.String(), &identityv1.OperatorRemoved{
		UserId: removed.UserID.String(), Role: roleName(removed.Role),
	})
}

func (a *App) factorsReset(ctx context.Context, tx *pg.Tx, userID id.ID, reason string, factors int) error {
	return a.tellUser(ctx, tx, userID, "user/"+userID.String(), &identityv1.FactorsResetByOperator{
		UserId: userID.String(), Reason: reason, Factors: int32(factors),
	})
}

// roleName is a role as the contract names it.
func roleName(role domain.OperatorRole) string { return strings.ToUpper(string(role)) }

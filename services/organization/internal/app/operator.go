package app

import (
	"context"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// FindOrganizations returns a page of the deployment's organizations, for an operator, and the token of the next.
func (a *App) FindOrganizations(ctx context.Context, request list.Request) (next string, found []domain.FoundOrganization, err error) {
	query, err := store.FoundOrganizations.Parse(request)
	if err != nil {
		return "", nil, err
	}
	err = a.DB.InTx(ctx, pg.ScopeOf(ctx), func(ctx context.Context, tx *pg.Tx) (err error) {
		store.ActAsOperator(tx, call.From(ctx).Actor.UserID)
		next, found, err = store.FindOrganizations(ctx, tx, query)
		return err
	})
	return next, found, err
}

// SuspendFound is SuspendOrganization for an operator, whom the organization's audit log names.
func (a *App) SuspendFound(ctx context.Context, tx *pg.Tx, organizationID id.ID, reason string) (domain.FoundOrganization, error) {
	if err := a.SuspendOrganization(ctx, tx, organizationID, reason); err != nil {
		return domain.FoundOrganization{}, err
	}
	return a.foundAgain(ctx, tx, organizationID)
}

// ResumeFound is ResumeOrganization for an operator.
func (a *App) ResumeFound(ctx context.Context, tx *pg.Tx, organizationID id.ID) (domain.FoundOrganization, error) {
	if err := a.ResumeOrganization(ctx, tx, organizationID); err != nil {
		return domain.FoundOrganization{}, err
	}
	return a.foundAgain(ctx, tx, organizationID)
}

func (a *App) foundAgain(ctx context.Context, tx *pg.Tx, organizationID id.ID) (domain.FoundOrganization, error) {
	store.ActAsOperator(tx, call.From(ctx).Actor.UserID)
	return store.FindOrganization(ctx, tx, organizationID)
}

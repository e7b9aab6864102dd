package app

import (
	"context"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
)

// CreateServiceAccount makes a service account in the organization of the call.
func (a *App) CreateServiceAccount(ctx context.Context, tx *pg.Tx, displayName, description string) (domain.ServiceAccount, error) {
	work := call.From(ctx)
	made, err := domain.NewServiceAccount(work.OrganizationID, work.Actor.UserID, displayName, description, a.Clock.Now())
	if err != nil {
		return domain.ServiceAccount{}, err
	}
	count, err := store.CountServiceAccounts(ctx, tx, work.OrganizationID)
	if err != nil {
		return domain.ServiceAccount{}, err
	}
	if count >= domain.MaxServiceAccounts {
		return domain.ServiceAccount{}, domain.ErrServiceAccountLimit
	}
	if err := store.CreateServiceAccount(ctx, tx, made); err != nil {
		return domain.ServiceAccount{}, err
	}
	return made, a.serviceAccountCreated(ctx, tx, made)
}

// GetServiceAccount returns a service account of the organization of the call.
func (a *App) GetServiceAccount(ctx context.Context, organizationID, serviceAccountID id.ID) (domain.ServiceAccount, error) {
	return store.GetServiceAccount(ctx, a.DB.Point(pg.ScopeOf(ctx)), organizationID, serviceAccountID)
}

// ListServiceAccounts returns a page of the organization's and the token of the next.
func (a *App) ListServiceAccounts(ctx context.Context, organizationID id.ID, request list.Request) (string, []domain.ServiceAccount, error) {
	request.Binding = []string{organizationID.String()}
	query, err := store.ServiceAccounts.Parse(request)
	if err != nil {
		return "", nil, err
	}
	return store.ListServiceAccounts(ctx, a.DB.Read(pg.ScopeOf(ctx)), organizationID, query)
}

// UpdateServiceAccount changes a service account. A change that changes nothing tells nobody.
func (a *App) UpdateServiceAccount(ctx context.Context, tx *pg.Tx, serviceAccountID id.ID, change domain.ServiceAccountChange) (domain.ServiceAccount, error) {
	account, err := store.LockServiceAccount(ctx, tx, call.From(ctx).OrganizationID, serviceAccountID)
	if err != nil {
		return domain.ServiceAccount{}, err
	}
	account, changed, err := account.Change(change, a.Clock.Now())
	if err != nil || !changed {
		return account, err
	}
	if err := store.UpdateServiceAccount(ctx, tx, account); err != nil {
		return domain.ServiceAccount{}, err
	}
	return account, a.serviceAccountUpdated(ctx, tx, account)
}

// DeleteServiceAccount removes a service account and ends its keys.
func (a *App) DeleteServiceAccount(ctx context.Context, tx *pg.Tx, serviceAccountID id.ID) error {
	organizationID := call.From(ctx).OrganizationID
	if _, err := store.LockServiceAccount(ctx, tx, organizationID, serviceAccountID); err != nil {
		return err
	}
	keys, err := store.DeleteServiceAccount(ctx, tx, organizationID, serviceAccountID)
	if err != nil {
		return err
	}
	owner := domain.MachineOwner{OrganizationID: organizationID, ServiceAccountID: serviceAccountID}
	for _, keyID := range keys {
		if err := a.endCredential(ctx, tx, owner, owner.OrganizationID, keyID); err != nil {
			return err
		}
	}
	return a.serviceAccountDeleted(ctx, tx, owner)
}

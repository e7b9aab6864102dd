package api

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/fieldmask"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/app"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// ServiceAccounts implements ServiceAccountService.
type ServiceAccounts struct {
	app    *app.App
	runner idempotency.Runner
}

// NewServiceAccounts returns the handlers of ServiceAccountService.
func NewServiceAccounts(app *app.App, runner idempotency.Runner) *ServiceAccounts {
	return &ServiceAccounts{app, runner}
}

// CreateServiceAccount implements ServiceAccountService.
func (h *ServiceAccounts) CreateServiceAccount(ctx context.Context, request *identityv1.CreateServiceAccountRequest) (*identityv1.ServiceAccount, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.ServiceAccount, error) {
		made, err := h.app.CreateServiceAccount(ctx, tx, request.GetDisplayName(), request.GetDescription())
		if err != nil {
			return nil, err
		}
		return encodeServiceAccount(made), nil
	})
}

// ListServiceAccounts implements ServiceAccountService.
func (h *ServiceAccounts) ListServiceAccounts(ctx context.Context, request *identityv1.ListServiceAccountsRequest) (*identityv1.ListServiceAccountsResponse, error) {
	next, accounts, err := h.app.ListServiceAccounts(ctx, id.ParseOrZero(request.GetOrganizationId()), list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	response := &identityv1.ListServiceAccountsResponse{NextPageToken: next}
	for _, account := range accounts {
		response.ServiceAccounts = append(response.ServiceAccounts, encodeServiceAccount(account))
	}
	return response, nil
}

// GetServiceAccount implements ServiceAccountService.
func (h *ServiceAccounts) GetServiceAccount(ctx context.Context, request *identityv1.GetServiceAccountRequest) (*identityv1.ServiceAccount, error) {
	account, err := h.app.GetServiceAccount(ctx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetServiceAccountId()))
	if err != nil {
		return nil, err
	}
	return encodeServiceAccount(account), nil
}

var serviceAccountFields = fieldmask.For(&identityv1.ServiceAccount{})

// UpdateServiceAccount implements ServiceAccountService.
func (h *ServiceAccounts) UpdateServiceAccount(ctx context.Context, request *identityv1.UpdateServiceAccountRequest) (*identityv1.ServiceAccount, error) {
	sent := request.GetServiceAccount()
	fields, err := serviceAccountFields.Read(request.GetUpdateMask(), sent)
	if err != nil {
		return nil, err
	}
	change := domain.ServiceAccountChange{Etag: sent.GetEtag()}
	if fields.Has("display_name") {
		change.DisplayName = &sent.DisplayName
	}
	if fields.Has("description") {
		change.Description = &sent.Description
	}
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.ServiceAccount, error) {
		account, err := h.app.UpdateServiceAccount(ctx, tx, id.ParseOrZero(request.GetServiceAccountId()), change)
		if err != nil {
			return nil, err
		}
		return encodeServiceAccount(account), nil
	})
}

// DeleteServiceAccount implements ServiceAccountService.
func (h *ServiceAccounts) DeleteServiceAccount(ctx context.Context, request *identityv1.DeleteServiceAccountRequest) (*identityv1.DeleteServiceAccountResponse, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.DeleteServiceAccountResponse, error) {
		return &identityv1.DeleteServiceAccountResponse{}, h.app.DeleteServiceAccount(ctx, tx, id.ParseOrZero(request.GetServiceAccountId()))
	})
}

func encodeServiceAccount(account domain.ServiceAccount) *identityv1.ServiceAccount {
	return &identityv1.ServiceAccount{
		Id: account.ID.String(), OrganizationId: account.OrganizationID.String(), DisplayName: account.DisplayName,
		Description: account.Description, CreatorId: account.CreatorID.String(), CreateTime: timestamppb.New(account.CreatedAt),
		UpdateTime: timestamppb.New(account.UpdatedAt), Etag: account.Etag(),
	}
}

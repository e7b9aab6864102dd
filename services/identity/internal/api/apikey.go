package api

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/app"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// APIKeys implements ApiKeyService.
type APIKeys struct {
	app    *app.App
	runner idempotency.Runner
}

// NewAPIKeys returns the handlers of ApiKeyService.
func NewAPIKeys(app *app.App, runner idempotency.Runner) *APIKeys { return &APIKeys{app, runner} }

// ofServiceAccount is what requests about keys have in common.
type ofServiceAccount interface {
	GetOrganizationId() string
	GetServiceAccountId() string
}

func machineOwnerOf(request ofServiceAccount) domain.MachineOwner {
	return domain.MachineOwner{
		OrganizationID: id.ParseOrZero(request.GetOrganizationId()), ServiceAccountID: id.ParseOrZero(request.GetServiceAccountId()),
	}
}

// CreateApiKey implements ApiKeyService.
func (h *APIKeys) CreateApiKey(ctx context.Context, request *identityv1.CreateApiKeyRequest) (*identityv1.ApiKey, error) {
	draft := domain.MachineCredentialDraft{
		DisplayName: request.GetDisplayName(), Scopes: request.GetScopes(), Networks: request.GetAllowedNetworks(),
		ExpiresAt: decodeTime(request.GetExpireTime()), PublicKey: decodePublicKey(request.GetPublicKey()),
		CreatorID: call.From(ctx).Actor.UserID,
	}
	owner := machineOwnerOf(request)
	if err := h.app.CheckScopes(ctx, owner.OrganizationID, draft.Scopes); err != nil {
		return nil, err
	}
	return h.issue(ctx, func(ctx context.Context, tx *pg.Tx) (app.NewCredential, error) {
		return h.app.CreateMachineCredential(ctx, tx, owner, draft)
	})
}

// RotateApiKey implements ApiKeyService.
func (h *APIKeys) RotateApiKey(ctx context.Context, request *identityv1.RotateApiKeyRequest) (*identityv1.ApiKey, error) {
	publicKey := decodePublicKey(request.GetPublicKey())
	owner, keyID := machineOwnerOf(request), id.ParseOrZero(request.GetKeyId())
	if err := h.app.CheckKeyScopes(ctx, owner, keyID); err != nil {
		return nil, err
	}
	return h.issue(ctx, func(ctx context.Context, tx *pg.Tx) (app.NewCredential, error) {
		return h.app.RotateMachineCredential(ctx, tx, owner, keyID, publicKey, request.GetOverlap().AsDuration())
	})
}

// issue answers with a new key and its secret.
func (h *APIKeys) issue(ctx context.Context, change func(context.Context, *pg.Tx) (app.NewCredential, error)) (*identityv1.ApiKey, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.ApiKey, error) {
		made, err := change(ctx, tx)
		if err != nil {
			return nil, err
		}
		encoded := encodeAPIKey(made.MachineCredential)
		encoded.Secret = made.Secret
		return encoded, nil
	})
}

// ListApiKeys implements ApiKeyService.
func (h *APIKeys) ListApiKeys(ctx context.Context, request *identityv1.ListApiKeysRequest) (*identityv1.ListApiKeysResponse, error) {
	next, keys, err := h.app.ListMachineCredentials(ctx, machineOwnerOf(request), list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	response := &identityv1.ListApiKeysResponse{NextPageToken: next}
	for _, one := range keys {
		response.Keys = append(response.Keys, encodeAPIKey(one))
	}
	return response, nil
}

// DeleteApiKey implements ApiKeyService.
func (h *APIKeys) DeleteApiKey(ctx context.Context, request *identityv1.DeleteApiKeyRequest) (*identityv1.DeleteApiKeyResponse, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.DeleteApiKeyResponse, error) {
		return &identityv1.DeleteApiKeyResponse{}, h.app.DeleteMachineCredential(ctx, tx, machineOwnerOf(request), id.ParseOrZero(request.GetKeyId()))
	})
}

func encodeAPIKey(one domain.MachineCredential) *identityv1.ApiKey {
	encoded := &identityv1.ApiKey{
		Id: one.ID.String(), ServiceAccountId: one.Owner.ServiceAccountID.String(), DisplayName: one.DisplayName, Scopes: one.Scopes,
		AllowedNetworks: one.Networks, CreateTime: timestamppb.New(one.CreatedAt), ExpireTime: timestamppb.New(one.ExpiresAt),
		LastUseTime: encodeTime(one.LastUsedAt), LastUseAddress: one.LastUsedAddress, CreatorId: one.CreatorID.String(),
	}
	if key := one.PublicKey; key != nil {
		encoded.PublicKey = &identityv1.PublicKey{Kty: key.Type, Crv: key.Curve, X: key.X, Y: key.Y}
	}
	return encoded
}

// decodePublicKey returns nil for none.
func decodePublicKey(sent *identityv1.PublicKey) *domain.PublicKey {
	if sent == nil {
		return nil
	}
	return &domain.PublicKey{Type: sent.GetKty(), Curve: sent.GetCrv(), X: sent.GetX(), Y: sent.GetY()}
}

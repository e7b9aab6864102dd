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

// AccessTokens implements AccessTokenService.
type AccessTokens struct {
	app    *app.App
	runner idempotency.Runner
}

// NewAccessTokens returns the handlers of AccessTokenService.
func NewAccessTokens(app *app.App, runner idempotency.Runner) *AccessTokens {
	return &AccessTokens{app, runner}
}

// callerOf is the person who calls, as the owner of access tokens.
func callerOf(ctx context.Context) domain.MachineOwner {
	return domain.MachineOwner{UserID: call.From(ctx).Actor.UserID}
}

// CreateAccessToken implements AccessTokenService.
func (h *AccessTokens) CreateAccessToken(ctx context.Context, request *identityv1.CreateAccessTokenRequest) (*identityv1.AccessToken, error) {
	draft := domain.MachineCredentialDraft{
		DisplayName: request.GetDisplayName(), Scopes: request.GetScopes(), Networks: request.GetAllowedNetworks(),
		ExpiresAt: decodeTime(request.GetExpireTime()), OrganizationID: id.ParseOrZero(request.GetOrganizationId()),
		MadeBy: app.MakingLogin(ctx),
	}
	if err := h.app.CheckMembership(ctx, draft.OrganizationID); err != nil {
		return nil, err
	}
	return h.issue(ctx, func(ctx context.Context, tx *pg.Tx) (app.NewCredential, error) {
		return h.app.CreateMachineCredential(ctx, tx, callerOf(ctx), draft)
	})
}

// RotateAccessToken implements AccessTokenService.
func (h *AccessTokens) RotateAccessToken(ctx context.Context, request *identityv1.RotateAccessTokenRequest) (*identityv1.AccessToken, error) {
	tokenID := id.ParseOrZero(request.GetAccessTokenId())
	if err := h.app.CheckTokenOrganization(ctx, tokenID); err != nil {
		return nil, err
	}
	return h.issue(ctx, func(ctx context.Context, tx *pg.Tx) (app.NewCredential, error) {
		return h.app.RotateMachineCredential(ctx, tx, callerOf(ctx), tokenID, nil, request.GetOverlap().AsDuration())
	})
}

// issue answers with a new token and its secret.
func (h *AccessTokens) issue(ctx context.Context, change func(context.Context, *pg.Tx) (app.NewCredential, error)) (*identityv1.AccessToken, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.AccessToken, error) {
		made, err := change(ctx, tx)
		if err != nil {
			return nil, err
		}
		encoded := encodeAccessToken(made.MachineCredential)
		encoded.Token = made.Secret
		return encoded, nil
	})
}

// ListAccessTokens implements AccessTokenService.
func (h *AccessTokens) ListAccessTokens(ctx context.Context, request *identityv1.ListAccessTokensRequest) (*identityv1.ListAccessTokensResponse, error) {
	next, tokens, err := h.app.ListMachineCredentials(ctx, callerOf(ctx), list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	response := &identityv1.ListAccessTokensResponse{NextPageToken: next}
	for _, one := range tokens {
		response.AccessTokens = append(response.AccessTokens, encodeAccessToken(one))
	}
	return response, nil
}

// GetAccessToken implements AccessTokenService.
func (h *AccessTokens) GetAccessToken(ctx context.Context, request *identityv1.GetAccessTokenRequest) (*identityv1.AccessToken, error) {
	found, err := h.app.GetMachineCredential(ctx, callerOf(ctx), id.ParseOrZero(request.GetAccessTokenId()))
	if err != nil {
		return nil, err
	}
	return encodeAccessToken(found), nil
}

// DeleteAccessToken implements AccessTokenService.
func (h *AccessTokens) DeleteAccessToken(ctx context.Context, request *identityv1.DeleteAccessTokenRequest) (*identityv1.DeleteAccessTokenResponse, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.DeleteAccessTokenResponse, error) {
		return &identityv1.DeleteAccessTokenResponse{}, h.app.DeleteMachineCredential(ctx, tx, callerOf(ctx), id.ParseOrZero(request.GetAccessTokenId()))
	})
}

func encodeAccessToken(one domain.MachineCredential) *identityv1.AccessToken {
	return &identityv1.AccessToken{
		Id: one.ID.String(), DisplayName: one.DisplayName, Scopes: one.Scopes, OrganizationId: one.OrganizationID.String(),
		AllowedNetworks: one.Networks, CreateTime: timestamppb.New(one.CreatedAt), ExpireTime: timestamppb.New(one.ExpiresAt),
		LastUseTime: encodeTime(one.LastUsedAt), LastUseAddress: one.LastUsedAddress,
	}
}

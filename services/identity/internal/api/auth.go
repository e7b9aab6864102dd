package api

import (
	"context"
	"encoding/base64"

	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/app"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

const (
	tokenType = "Bearer"
	expiresIn = int32(authn.AccessTokenLife / 1e9)
)

// Auth implements AuthService.
type Auth struct {
	app    *app.App
	runner idempotency.Runner
}

// NewAuth returns the handlers of AuthService.
func NewAuth(app *app.App, runner idempotency.Runner) *Auth { return &Auth{app, runner} }

// Register implements AuthService.
func (a *Auth) Register(ctx context.Context, request *identityv1.RegisterRequest) (*identityv1.RegisterResponse, error) {
	if request.GetInvitationToken() != "" {
		user, organizationID, err := a.app.RegisterInvited(ctx, request.GetEmail(), request.GetPassword(), request.GetDisplayName(), request.GetInvitationToken())
		if err != nil {
			return nil, err
		}
		response := &identityv1.RegisterResponse{User: encodeUser(user)}
		if organizationID != "" {
			response.OrganizationId = &organizationID
		}
		return response, nil
	}
	if err := a.app.Register(ctx, request.GetEmail(), request.GetPassword(), request.GetDisplayName()); err != nil {
		return nil, err
	}
	return &identityv1.RegisterResponse{}, nil
}

// VerifyEmail implements AuthService.
func (a *Auth) VerifyEmail(ctx context.Context, request *identityv1.VerifyEmailRequest) (*identityv1.VerifyEmailResponse, error) {
	user, err := a.prove(ctx, request)
	if err != nil {
		return nil, err
	}
	return &identityv1.VerifyEmailResponse{User: encodeUser(user)}, nil
}

// prove takes a token alone, or an address with a code.
func (a *Auth) prove(ctx context.Context, request *identityv1.VerifyEmailRequest) (domain.User, error) {
	switch {
	case request.GetToken() != "" && (request.GetEmail() != "" || request.GetCode() != ""):
		return domain.User{}, errs.Invalid("token", "required", "must come without email and code")
	case request.GetToken() != "":
		return a.app.VerifyToken(ctx, request.GetToken())
	case request.GetEmail() == "":
		return domain.User{}, errs.Invalid("email", "required", "must be set, or token instead")
	case request.GetCode() == "":
		return domain.User{}, errs.Invalid("code", "required", "must be set, or token instead")
	}
	return a.app.VerifyEmail(ctx, request.GetEmail(), request.GetCode())
}

// Login implements AuthService.
func (a *Auth) Login(ctx context.Context, request *identityv1.LoginRequest) (*identityv1.LoginResponse, error) {
	tokens, user, err := a.app.Login(ctx, request.GetEmail(), request.GetPassword(), request.GetDeviceToken(), request.GetBreakGlass())
	if err != nil {
		return nil, err
	}
	return &identityv1.LoginResponse{
		AccessToken: tokens.Access, RefreshToken: tokens.Refresh, TokenType: tokenType, ExpiresIn: expiresIn,
		User: encodeUser(user), DeviceToken: tokens.Device,
	}, nil
}

// Refresh implements AuthService.
func (a *Auth) Refresh(ctx context.Context, request *identityv1.RefreshRequest) (*identityv1.RefreshResponse, error) {
	tokens, err := a.app.Refresh(ctx, request.GetRefreshToken())
	if err != nil {
		return nil, err
	}
	return &identityv1.RefreshResponse{
		AccessToken: tokens.Access, RefreshToken: tokens.Refresh, TokenType: tokenType, ExpiresIn: expiresIn,
	}, nil
}

// Logout implements AuthService.
func (a *Auth) Logout(ctx context.Context, _ *identityv1.LogoutRequest) (*identityv1.LogoutResponse, error) {
	return idempotency.Run(ctx, a.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.LogoutResponse, error) {
		return &identityv1.LogoutResponse{}, a.app.Logout(ctx, tx)
	})
}

// Validate implements AuthService.
func (a *Auth) Validate(ctx context.Context, request *identityv1.ValidateRequest) (*identityv1.ValidateResponse, error) {
	state, err := a.app.Validate(ctx, request.GetAccessToken())
	if err != nil || !state.Active {
		return &identityv1.ValidateResponse{}, err
	}
	return &identityv1.ValidateResponse{
		Active: true, UserId: state.UserID.String(), SessionId: state.SessionID.String(),
		ExpireTime: timestamppb.New(state.ExpiresAt),
	}, nil
}

// GetJwks implements AuthService.
func (a *Auth) GetJwks(ctx context.Context, _ *identityv1.GetJwksRequest) (*identityv1.GetJwksResponse, error) {
	keys, err := a.app.PublicKeys(ctx)
	if err != nil {
		return nil, err
	}
	response := &identityv1.GetJwksResponse{}
	for _, key := range keys {
		response.Keys = append(response.Keys, &identityv1.Jwk{
			Kty: "OKP", Crv: "Ed25519", X: base64.RawURLEncoding.EncodeToString(key.Public), Kid: key.ID, Use: "sig", Alg: "EdDSA",
		})
	}
	return response, nil
}

package api

import (
	"context"
	"slices"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/services/identity/internal/app"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// Login implements LoginService.
type Login struct{ app *app.App }

// NewLogin returns the handlers of LoginService.
func NewLogin(app *app.App) *Login { return &Login{app} }

// LoginWithFactor implements LoginService.
func (l *Login) LoginWithFactor(ctx context.Context, request *identityv1.LoginWithFactorRequest) (*identityv1.LoginResponse, error) {
	tokens, user, err := l.app.LoginWithFactor(ctx, request.GetChallengeToken(), request.GetCode())
	if err != nil {
		return nil, err
	}
	return encodeLogin(tokens, user), nil
}

// BeginPasskey implements LoginService.
func (l *Login) BeginPasskey(ctx context.Context, request *identityv1.BeginPasskeyRequest) (*identityv1.BeginPasskeyResponse, error) {
	options, err := l.app.BeginPasskey(ctx, request.GetChallengeToken())
	if err != nil {
		return nil, err
	}
	response := &identityv1.BeginPasskeyResponse{}
	response.PublicKey, err = encodeOptions(options)
	return response, err
}

// FinishPasskey implements LoginService.
func (l *Login) FinishPasskey(ctx context.Context, request *identityv1.FinishPasskeyRequest) (*identityv1.LoginResponse, error) {
	answer, err := decodeCredential(request.GetCredential())
	if err != nil {
		return nil, err
	}
	tokens, user, err := l.app.FinishPasskey(ctx, answer, request.GetChallengeToken())
	if err != nil {
		return nil, err
	}
	return encodeLogin(tokens, user), nil
}

// StepUp implements LoginService.
func (l *Login) StepUp(ctx context.Context, request *identityv1.StepUpRequest) (*identityv1.StepUpResponse, error) {
	if err := oneProof(request); err != nil {
		return nil, err
	}
	proof := app.Proof{Password: request.GetPassword(), Code: request.GetCode(), DeviceToken: request.GetDeviceToken()}
	if request.GetCredential() != nil {
		var err error
		if proof.Passkey, err = decodeCredential(request.GetCredential()); err != nil {
			return nil, err
		}
	}
	access, err := l.app.StepUp(ctx, proof)
	if err != nil {
		return nil, err
	}
	return &identityv1.StepUpResponse{AccessToken: access, TokenType: tokenType, ExpiresIn: expiresIn}, nil
}

// oneProof refuses a step-up with none or several of the proofs, and names those it is about.
func oneProof(request *identityv1.StepUpRequest) error {
	var shown []string
	for field, set := range map[string]bool{
		"password": request.GetPassword() != "", "code": request.GetCode() != "", "credential": request.GetCredential() != nil,
	} {
		if set {
			shown = append(shown, field)
		}
	}
	if len(shown) == 1 {
		return nil
	}
	if len(shown) == 0 {
		shown = []string{"password", "code", "credential"}
	}
	slices.Sort(shown)
	problem := errs.New(errs.InvalidArgument, "INVALID_ARGUMENT", "The request is not valid.")
	for _, field := range shown {
		problem = problem.WithViolation(errs.Violation{Field: field, Rule: "required", Message: "must be the only one of password, code and credential"})
	}
	return problem
}

func encodeLogin(tokens app.Tokens, user domain.User) *identityv1.LoginResponse {
	return &identityv1.LoginResponse{
		AccessToken: tokens.Access, RefreshToken: tokens.Refresh, TokenType: tokenType, ExpiresIn: expiresIn,
		User: encodeUser(user),
	}
}

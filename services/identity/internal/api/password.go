package api

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/identity/internal/app"
)

// Password implements PasswordService.
type Password struct{ app *app.App }

// NewPassword returns the handlers of PasswordService.
func NewPassword(app *app.App) *Password { return &Password{app} }

// ForgotPassword implements PasswordService.
func (p *Password) ForgotPassword(ctx context.Context, request *identityv1.ForgotPasswordRequest) (*identityv1.ForgotPasswordResponse, error) {
	if err := p.app.ForgotPassword(ctx, request.GetEmail()); err != nil {
		return nil, err
	}
	return &identityv1.ForgotPasswordResponse{}, nil
}

// ResetPassword implements PasswordService.
func (p *Password) ResetPassword(ctx context.Context, request *identityv1.ResetPasswordRequest) (*identityv1.ResetPasswordResponse, error) {
	ended, err := p.app.ResetPassword(ctx, request.GetToken(), request.GetNewPassword())
	if err != nil {
		return nil, err
	}
	return &identityv1.ResetPasswordResponse{EndedAccessTokens: int32(ended)}, nil
}

// ChangePassword implements PasswordService.
func (p *Password) ChangePassword(ctx context.Context, request *identityv1.ChangePasswordRequest) (*identityv1.ChangePasswordResponse, error) {
	if err := p.app.ChangePassword(ctx, request.GetCurrentPassword(), request.GetNewPassword(), request.GetDeviceToken()); err != nil {
		return nil, err
	}
	return &identityv1.ChangePasswordResponse{}, nil
}

// AccountMail implements AccountMailService, which only other services can call.
type AccountMail struct{ app *app.App }

// NewAccountMail returns the handlers of AccountMailService.
func NewAccountMail(app *app.App) *AccountMail { return &AccountMail{app} }

// GetPasswordResetMail implements AccountMailService.
func (m *AccountMail) GetPasswordResetMail(ctx context.Context, request *identityv1.GetPasswordResetMailRequest) (*identityv1.GetPasswordResetMailResponse, error) {
	mail, err := m.app.PasswordResetMail(ctx, id.ParseOrZero(request.GetResetId()))
	if err != nil {
		return nil, err
	}
	return &identityv1.GetPasswordResetMailResponse{Email: mail.Email, Token: mail.Token, ExpireTime: timestamppb.New(mail.ExpiresAt)}, nil
}

// GetEmailChangeMail implements AccountMailService.
func (m *AccountMail) GetEmailChangeMail(ctx context.Context, request *identityv1.GetEmailChangeMailRequest) (*identityv1.GetEmailChangeMailResponse, error) {
	mail, err := m.app.EmailChangeMail(ctx, id.ParseOrZero(request.GetChangeId()))
	if err != nil {
		return nil, err
	}
	return &identityv1.GetEmailChangeMailResponse{
		NewEmail: mail.NewEmail, OldEmail: mail.OldEmail, Token: mail.Token, Live: mail.Live,
		ExpireTime: timestamppb.New(mail.ExpiresAt),
	}, nil
}

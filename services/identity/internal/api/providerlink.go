package api

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/identity/internal/app"
)

// ProviderLinks implements ProviderLinkService, and ProviderLinkMailService, which only other services can call.
type ProviderLinks struct{ app *app.App }

// NewProviderLinks returns the handlers of both.
func NewProviderLinks(app *app.App) *ProviderLinks { return &ProviderLinks{app} }

// MailProviderLink implements ProviderLinkService.
func (p *ProviderLinks) MailProviderLink(ctx context.Context, request *identityv1.MailProviderLinkRequest) (*identityv1.MailProviderLinkResponse, error) {
	if err := p.app.MailProviderLink(ctx, request.GetLinkToken()); err != nil {
		return nil, err
	}
	return &identityv1.MailProviderLinkResponse{}, nil
}

// GetProviderLinkMail implements ProviderLinkMailService.
func (p *ProviderLinks) GetProviderLinkMail(ctx context.Context, request *identityv1.GetProviderLinkMailRequest) (*identityv1.GetProviderLinkMailResponse, error) {
	mail, err := p.app.ProviderLinkMail(ctx, id.ParseOrZero(request.GetLinkId()))
	if err != nil {
		return nil, err
	}
	return &identityv1.GetProviderLinkMailResponse{Email: mail.Email, Token: mail.Token, ExpireTime: timestamppb.New(mail.ExpiresAt)}, nil
}

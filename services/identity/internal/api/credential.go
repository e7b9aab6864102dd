package api

import (
	"context"
	"errors"
	"net/netip"

	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/identity/internal/app"
)

// Credentials implements CredentialService, which only other services can call.
type Credentials struct{ app *app.App }

// NewCredentials returns the handlers of CredentialService.
func NewCredentials(app *app.App) *Credentials { return &Credentials{app} }

// VerifyCredential implements CredentialService.
func (c *Credentials) VerifyCredential(ctx context.Context, request *identityv1.VerifyCredentialRequest) (*identityv1.VerifyCredentialResponse, error) {
	found, err := c.app.VerifyCredential(ctx, request.GetHash())
	if errors.Is(err, errs.ErrNotFound) {
		return &identityv1.VerifyCredentialResponse{}, nil
	}
	if err != nil {
		return nil, err
	}
	return &identityv1.VerifyCredentialResponse{
		Good: true, CredentialId: found.ID.String(), UserId: found.Owner.UserID.String(),
		ServiceAccountId: found.Owner.ServiceAccountID.String(), OrganizationId: found.OrganizationID.String(), Scopes: found.Scopes,
		AllowedNetworks: found.Networks, ExpireTime: timestamppb.New(found.ExpiresAt), MakerId: found.CreatorID.String(),
		CreateTime: timestamppb.New(found.CreatedAt), AuthTime: encodeTime(found.MadeBy.Time), Amr: found.MadeBy.Methods,
		SsoConnectionId: found.MadeBy.ConnectionID.String(), SsoBypassed: found.MadeBy.BrokeGlass,
	}, nil
}

// GetCredentialState implements CredentialService.
func (c *Credentials) GetCredentialState(ctx context.Context, request *identityv1.GetCredentialStateRequest) (*identityv1.GetCredentialStateResponse, error) {
	good, err := c.app.IsCredentialGood(ctx, id.ParseOrZero(request.GetCredentialId()), id.ParseOrZero(request.GetTokenId()))
	if err != nil {
		return nil, err
	}
	return &identityv1.GetCredentialStateResponse{Good: good}, nil
}

// RecordCredentialUses implements CredentialService.
func (c *Credentials) RecordCredentialUses(ctx context.Context, request *identityv1.RecordCredentialUsesRequest) (*identityv1.RecordCredentialUsesResponse, error) {
	uses := make([]authn.Use, 0, len(request.GetUses()))
	for _, told := range request.GetUses() {
		// An address that can't be read is none.
		address, _ := netip.ParseAddr(told.GetClientAddress())
		uses = append(uses, authn.Use{CredentialID: id.ParseOrZero(told.GetCredentialId()), At: told.GetUseTime().AsTime(), Address: address})
	}
	return &identityv1.RecordCredentialUsesResponse{}, c.app.RecordUses(ctx, uses)
}

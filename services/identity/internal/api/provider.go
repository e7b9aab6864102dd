package api

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/app"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// Providers implements ProviderService.
type Providers struct{ app *app.App }

// NewProviders returns the handlers of ProviderService.
func NewProviders(app *app.App) *Providers { return &Providers{app} }

// ListProviders implements ProviderService.
func (p *Providers) ListProviders(context.Context, *identityv1.ListProvidersRequest) (*identityv1.ListProvidersResponse, error) {
	response := &identityv1.ListProvidersResponse{}
	for _, own := range p.app.Providers.Own {
		response.Providers = append(response.Providers, &identityv1.Provider{Id: domain.SourceID(own.Source), DisplayName: own.DisplayName})
	}
	return response, nil
}

// decodeSource tells connections from the deployment's providers: theirs are the only ids that are UUIDs.
func decodeSource(providerID string) string {
	if connectionID, err := id.Parse(providerID); err == nil {
		return domain.ConnectionSource(connectionID)
	}
	return domain.ProviderSource(providerID)
}

// BeginProviderLogin implements ProviderService.
func (p *Providers) BeginProviderLogin(ctx context.Context, request *identityv1.BeginProviderLoginRequest) (*identityv1.BeginProviderLoginResponse, error) {
	begun, err := p.app.BeginProvider(ctx, decodeSource(request.GetProviderId()), request.GetRedirectUri(), id.ID{})
	if err != nil {
		return nil, err
	}
	return &identityv1.BeginProviderLoginResponse{AuthorizationUrl: begun.AuthorizationURL, BrowserToken: begun.BrowserToken}, nil
}

// FinishProviderLogin implements ProviderService.
func (p *Providers) FinishProviderLogin(ctx context.Context, request *identityv1.FinishProviderLoginRequest) (*identityv1.LoginResponse, error) {
	tokens, user, err := p.app.FinishProviderLogin(ctx, decodeReturned(request))
	if err != nil {
		return nil, err
	}
	return encodeLogin(tokens, user), nil
}

// returned is what both ends say of how the browser came back.
type returned interface {
	GetState() string
	GetCode() string
	GetBrowserToken() string
	GetIssuer() string
}

func decodeReturned(request returned) app.Returned {
	return app.Returned{
		State: request.GetState(), Code: request.GetCode(), BrowserToken: request.GetBrowserToken(), Issuer: request.GetIssuer(),
	}
}

// LinkProviderLogin implements ProviderService.
func (p *Providers) LinkProviderLogin(ctx context.Context, request *identityv1.LinkProviderLoginRequest) (*identityv1.LoginResponse, error) {
	if (request.GetPassword() == "") == (request.GetMailToken() == "") {
		return nil, errs.Invalid("password", "link.one_proof", "must be given, or mailToken, and not both")
	}
	tokens, user, err := p.app.LinkProviderLogin(ctx, request.GetLinkToken(), request.GetPassword(), request.GetMailToken())
	if err != nil {
		return nil, err
	}
	return encodeLogin(tokens, user), nil
}

// DiscoverSso implements ProviderService.
func (p *Providers) DiscoverSso(ctx context.Context, request *identityv1.DiscoverSsoRequest) (*identityv1.DiscoverSsoResponse, error) {
	found, err := p.app.DiscoverSSO(ctx, request.GetEmail())
	if err != nil || found.ConnectionID.IsZero() {
		return &identityv1.DiscoverSsoResponse{}, err
	}
	return &identityv1.DiscoverSsoResponse{
		SsoConnectionId: found.ConnectionID.String(), DisplayName: found.DisplayName, Required: found.Required,
	}, nil
}

// Identities implements ExternalIdentityService.
type Identities struct {
	app    *app.App
	runner idempotency.Runner
}

// NewIdentities returns the handlers of ExternalIdentityService.
func NewIdentities(app *app.App, runner idempotency.Runner) *Identities {
	return &Identities{app, runner}
}

// ListIdentities implements ExternalIdentityService.
func (i *Identities) ListIdentities(ctx context.Context, _ *identityv1.ListIdentitiesRequest) (*identityv1.ListIdentitiesResponse, error) {
	links, err := i.app.ListIdentities(ctx)
	if err != nil {
		return nil, err
	}
	response := &identityv1.ListIdentitiesResponse{}
	for _, link := range links {
		response.Identities = append(response.Identities, encodeIdentity(link))
	}
	return response, nil
}

// BeginIdentity implements ExternalIdentityService.
func (i *Identities) BeginIdentity(ctx context.Context, request *identityv1.BeginIdentityRequest) (*identityv1.BeginIdentityResponse, error) {
	begun, err := i.app.BeginProvider(ctx, decodeSource(request.GetProviderId()), request.GetRedirectUri(), call.From(ctx).Actor.UserID)
	if err != nil {
		return nil, err
	}
	return &identityv1.BeginIdentityResponse{AuthorizationUrl: begun.AuthorizationURL, BrowserToken: begun.BrowserToken}, nil
}

// FinishIdentity implements ExternalIdentityService.
func (i *Identities) FinishIdentity(ctx context.Context, request *identityv1.FinishIdentityRequest) (*identityv1.ExternalIdentity, error) {
	link, err := i.app.FinishIdentity(ctx, decodeReturned(request))
	if err != nil {
		return nil, err
	}
	return encodeIdentity(link), nil
}

// DeleteIdentity implements ExternalIdentityService.
func (i *Identities) DeleteIdentity(ctx context.Context, request *identityv1.DeleteIdentityRequest) (*identityv1.DeleteIdentityResponse, error) {
	return idempotency.Run(ctx, i.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.DeleteIdentityResponse, error) {
		return &identityv1.DeleteIdentityResponse{}, i.app.DeleteIdentity(ctx, tx, id.ParseOrZero(request.GetIdentityId()))
	})
}

func encodeIdentity(link domain.ExternalIdentity) *identityv1.ExternalIdentity {
	return &identityv1.ExternalIdentity{
		Id: link.ID.String(), ProviderId: domain.SourceID(link.Source), Email: link.Email,
		CreateTime: timestamppb.New(link.CreatedAt), LastUseTime: timestamppb.New(link.LastUsedAt),
	}
}

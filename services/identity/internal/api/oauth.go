package api

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/services/identity/internal/app"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

const (
	clientCredentials = "client_credentials"
	assertionType     = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// OAuth answers the endpoints of OAuth 2, which the contract can't hold.
type OAuth struct{ app *app.App }

// NewOAuth returns the handlers.
func NewOAuth(app *app.App) *OAuth { return &OAuth{app} }

// Mount adds the endpoints to a server.
func (o *OAuth) Mount(server *rpc.Server) error {
	for path, handler := range map[string]func(context.Context, rpc.Form) (any, error){
		app.TokenPath: o.token, "/oauth2/introspect": o.introspect, "/oauth2/revoke": o.revoke,
		"/.well-known/oauth-authorization-server": o.metadata,
	} {
		if err := server.HandleForm(path, handler); err != nil {
			return err
		}
	}
	return nil
}

// client finds out which client calls. Of several ways to say so at once none counts (RFC 6749 section 2.3).
func (o *OAuth) client(ctx context.Context, form rpc.Form) (domain.MachineCredential, error) {
	proof := app.ClientProof{ClientID: form.Values["client_id"], Assertion: form.Values["client_assertion"]}
	_, posted := form.Values["client_secret"]
	switch {
	case posted:
		return domain.MachineCredential{}, domain.ErrInvalidRequest.WithMessage("A client_secret goes into the Authorization header.")
	case form.Basic && proof.Assertion != "", form.Basic && proof.ClientID != "" && proof.ClientID != form.ClientID:
		return domain.MachineCredential{}, domain.ErrInvalidRequest.WithMessage("A client shows one proof of itself.")
	case form.Basic:
		proof.ClientID, proof.Secret = form.ClientID, form.ClientSecret
	case proof.Assertion == "":
		return domain.MachineCredential{}, domain.ErrInvalidClient
	case form.Values["client_assertion_type"] != assertionType:
		return domain.MachineCredential{}, domain.ErrInvalidRequest.WithMessage("The client_assertion_type must be " + assertionType + ".")
	}
	return o.app.AuthenticateClient(ctx, proof)
}

// tokenAnswer is that of RFC 6749 section 5.1.
type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope"`
}

func (o *OAuth) token(ctx context.Context, form rpc.Form) (any, error) {
	switch form.Values["grant_type"] {
	case clientCredentials:
	case "":
		return nil, domain.ErrInvalidRequest.WithMessage("The grant_type is missing.")
	default:
		return nil, domain.ErrUnsupportedGrantType
	}
	key, err := o.client(ctx, form)
	if err != nil {
		return nil, err
	}
	issued, err := o.app.IssueMachineToken(ctx, key, form.Values["scope"])
	if err != nil {
		return nil, err
	}
	return tokenAnswer{
		AccessToken: issued.Text, TokenType: tokenType, ExpiresIn: int64(issued.Life / time.Second), Scope: strings.Join(issued.Scopes, " "),
	}, nil
}

// introspection is that of RFC 7662 section 2.2.
type introspection struct {
	Active    bool   `json:"active"`
	Scope     string `json:"scope,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	Subject   string `json:"sub,omitempty"`
	TokenType string `json:"token_type,omitempty"`
	TokenID   string `json:"jti,omitempty"`
	Issuer    string `json:"iss,omitempty"`
	Audience  string `json:"aud,omitempty"`
	IssuedAt  int64  `json:"iat,omitempty"`
	ExpiresAt int64  `json:"exp,omitempty"`
}

func (o *OAuth) introspect(ctx context.Context, form rpc.Form) (any, error) {
	client, text, err := o.clientWithToken(ctx, form)
	if err != nil {
		return nil, err
	}
	found, err := o.app.Introspect(ctx, client, text)
	if err != nil || !found.Active {
		return introspection{}, err
	}
	return introspection{
		Active: true, Scope: strings.Join(found.Scopes, " "), ClientID: found.ClientID, Subject: found.ClientID, TokenType: tokenType,
		TokenID: found.TokenID, Issuer: o.app.PublicURL, Audience: authn.Audience, IssuedAt: found.IssuedAt.Unix(), ExpiresAt: found.ExpiresAt.Unix(),
	}, nil
}

func (o *OAuth) revoke(ctx context.Context, form rpc.Form) (any, error) {
	client, text, err := o.clientWithToken(ctx, form)
	if err != nil {
		return nil, err
	}
	return nil, o.app.RevokeMachineToken(ctx, client, text)
}

func (o *OAuth) clientWithToken(ctx context.Context, form rpc.Form) (domain.MachineCredential, string, error) {
	text := form.Values["token"]
	client, err := o.client(ctx, form)
	if err == nil && text == "" {
		err = domain.ErrInvalidRequest.WithMessage("The token is missing.")
	}
	return client, text, err
}

// metadata is that of RFC 8414 section 2.
func (o *OAuth) metadata(context.Context, rpc.Form) (any, error) {
	issuer, methods, algorithms := o.app.PublicURL, []string{"client_secret_basic", "private_key_jwt"}, []string{"EdDSA", "ES256"}
	document := map[string]any{
		"issuer": issuer, "token_endpoint": issuer + app.TokenPath, "introspection_endpoint": issuer + "/oauth2/introspect",
		"revocation_endpoint": issuer + "/oauth2/revoke", "jwks_uri": issuer + "/.well-known/jwks.json",
		"grant_types_supported": []string{clientCredentials}, "response_types_supported": []string{},
		"scopes_supported": o.scopes(),
	}
	for _, endpoint := range []string{"token", "introspection", "revocation"} {
		document[endpoint+"_endpoint_auth_methods_supported"] = methods
		document[endpoint+"_endpoint_auth_signing_alg_values_supported"] = algorithms
	}
	return document, nil
}

// scopes are all that a key may have.
func (o *OAuth) scopes() []string {
	names := slices.Sorted(maps.Keys(o.app.Permissions))
	for i, name := range names {
		if !strings.Contains(name, ".") {
			names[i] = name + ".*"
		}
	}
	return names
}

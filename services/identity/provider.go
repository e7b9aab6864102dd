package identity

import (
	"net/url"
	"slices"
	"strings"

	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/federation"
)

// ProviderConfig is who else may say who somebody is. A provider without a client id is not offered.
type ProviderConfig struct {
	RedirectURIs []string        `config:"redirect_uris" default:"" help:"Where providers may send browsers back to, compared letter by letter; empty is /auth/callback below the public URL."`
	Private      bool            `config:"private_issuers" default:"false" help:"Lets the connections of organizations lead into private networks and do without TLS; for a company whose provider is inside."`
	Google       GoogleConfig    `config:"google"`
	Microsoft    MicrosoftConfig `config:"microsoft"`
	GitHub       GitHubConfig    `config:"github"`
	OIDC         OIDCConfig      `config:"oidc"`
}

// GoogleConfig is Braid as Google knows it.
type GoogleConfig struct {
	ClientID     string `config:"client_id" default:"" help:"Client id at Google; empty does not offer it."`
	ClientSecret string `config:"client_secret" secret:"true" help:"Client secret at Google."`
}

// MicrosoftConfig is Braid as one tenant of Microsoft Entra knows it.
type MicrosoftConfig struct {
	ClientID     string `config:"client_id" default:"" help:"Application id at Microsoft Entra; empty does not offer it."`
	ClientSecret string `config:"client_secret" secret:"true" help:"Client secret at Microsoft Entra."`
	// Tenant is one: what all tenants say of addresses can't be believed.
	Tenant         string   `config:"tenant" default:"" help:"The directory (tenant) id; one tenant's people can sign in."`
	TrustedDomains []string `config:"trusted_domains" default:"" help:"Mail domains whose addresses the tenant hands out itself; Microsoft says of others only with the claim xms_edov that they are verified."`
}

// GitHubConfig is Braid as GitHub knows it.
type GitHubConfig struct {
	ClientID     string `config:"client_id" default:"" help:"Client id at GitHub; empty does not offer it."`
	ClientSecret string `config:"client_secret" secret:"true" help:"Client secret at GitHub."`
	URL          string `config:"url" default:"https://github.com" help:"Address of GitHub, or of a GitHub Enterprise Server."`
	API          string `config:"api_url" default:"https://api.github.com" help:"Address of its REST API."`
}

// OIDCConfig is any other OpenID provider.
type OIDCConfig struct {
	ClientID       string   `config:"client_id" default:"" help:"Client id at an OpenID provider; empty does not offer it."`
	ClientSecret   string   `config:"client_secret" secret:"true" help:"Client secret at the OpenID provider."`
	Issuer         string   `config:"issuer" default:"" help:"The provider's issuer: its discovery document is below it, at /.well-known/openid-configuration."`
	DisplayName    string   `config:"display_name" default:"Single sign-on" help:"What people see on its button."`
	Scopes         []string `config:"scopes" default:"openid,email,profile" help:"What the provider is asked for; openid is among it."`
	TrustedDomains []string `config:"trusted_domains" default:"" help:"Mail domains whose addresses the provider hands out itself, so that it need not say that they are verified."`
}

// Validate implements config.Validator.
func (c ProviderConfig) Validate(report func(key, reason string)) {
	for key, given := range map[string]bool{
		"google.client_secret": c.Google.ClientID == "" || c.Google.ClientSecret != "", "microsoft.client_secret": c.Microsoft.ClientID == "" || c.Microsoft.ClientSecret != "",
		"github.client_secret": c.GitHub.ClientID == "" || c.GitHub.ClientSecret != "", "oidc.client_secret": c.OIDC.ClientID == "" || c.OIDC.ClientSecret != "",
	} {
		if !given {
			report(key, "must be set where client_id is")
		}
	}
	if c.Microsoft.ClientID != "" && (c.Microsoft.Tenant == "" || slices.Contains([]string{"common", "organizations", "consumers"}, c.Microsoft.Tenant)) {
		report("microsoft.tenant", "must be the id of one tenant")
	}
	if c.OIDC.ClientID != "" && !isWebAddress(c.OIDC.Issuer) {
		report("oidc.issuer", "must be an http or https URL")
	}
	if c.OIDC.ClientID != "" && !slices.Contains(c.OIDC.Scopes, "openid") {
		report("oidc.scopes", "must hold openid")
	}
	for _, address := range []struct{ key, text string }{{"github.url", c.GitHub.URL}, {"github.api_url", c.GitHub.API}} {
		if c.GitHub.ClientID != "" && !isWebAddress(address.text) {
			report(address.key, "must be an http or https URL")
		}
	}
	for _, text := range c.RedirectURIs {
		if parsed, err := url.Parse(text); err != nil || !parsed.IsAbs() || parsed.Fragment != "" {
			report("redirect_uris", "must be absolute URLs without a fragment")
		}
	}
}

func (c ProviderConfig) redirectURIs(publicURL string) []string {
	if len(c.RedirectURIs) == 0 {
		return []string{publicURL + "/auth/callback"}
	}
	return c.RedirectURIs
}

// providers returns those that are offered.
func (c ProviderConfig) providers() []federation.Provider {
	usual := []string{"openid", "email", "profile"}
	all := []federation.Provider{
		{
			Source: domain.ProviderSource("google"), DisplayName: "Google", Issuer: "https://accounts.google.com",
			ClientID: c.Google.ClientID, ClientSecret: c.Google.ClientSecret, Scopes: usual,
		},
		{
			Source: domain.ProviderSource("microsoft"), DisplayName: "Microsoft",
			Issuer:   "https://login.microsoftonline.com/" + c.Microsoft.Tenant + "/v2.0",
			ClientID: c.Microsoft.ClientID, ClientSecret: c.Microsoft.ClientSecret, Scopes: usual, TrustedDomains: lower(c.Microsoft.TrustedDomains),
		},
		{
			Source: domain.ProviderSource("github"), DisplayName: "GitHub", Kind: federation.GitHub, Issuer: strings.TrimSuffix(c.GitHub.URL, "/"),
			API: strings.TrimSuffix(c.GitHub.API, "/"), ClientID: c.GitHub.ClientID, ClientSecret: c.GitHub.ClientSecret,
			Scopes: []string{"read:user", "user:email"},
		},
		{
			Source: domain.ProviderSource("oidc"), DisplayName: c.OIDC.DisplayName, Issuer: c.OIDC.Issuer,
			ClientID: c.OIDC.ClientID, ClientSecret: c.OIDC.ClientSecret, Scopes: c.OIDC.Scopes, TrustedDomains: lower(c.OIDC.TrustedDomains),
		},
	}
	return slices.DeleteFunc(all, func(provider federation.Provider) bool { return provider.ClientID == "" })
}

func lower(names []string) []string {
	lowered := make([]string, 0, len(names))
	for _, name := range names {
		lowered = append(lowered, strings.ToLower(name))
	}
	return lowered
}

// Package federation asks providers that are not ours who somebody is: by OpenID Connect, and GitHub by OAuth 2 and its
// API. What is answered was checked (signature, issuer, audience, nonce, PKCE); what follows from it is decided elsewhere.
// A provider that is down, slow or talkative costs its own logins and nobody else's.
package federation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// Kind is how a provider is spoken with.
type Kind int

// The kinds.
const (
	OpenID Kind = iota
	// GitHub speaks OAuth 2 and has an API of its own in place of ID tokens.
	GitHub
)

// Provider is somebody who can say who a person is.
type Provider struct {
	// Source names it in links and states.
	Source      string
	Kind        Kind
	DisplayName string
	// Issuer is the OpenID issuer; of GitHub the address of its pages.
	Issuer       string
	ClientID     string
	ClientSecret string
	Scopes       []string
	// API is where GitHub's API is.
	API string
	// TrustedDomains are those whose addresses the provider hands out itself, so that they need no further proof.
	TrustedDomains []string
	// Foreign says that an organization has named it: it must be on the public internet and speak TLS, or our own network
	// could be looked at through it.
	Foreign bool
}

// Request is a login that begins.
type Request struct {
	RedirectURI string
	State       string
	Nonce       string
	// Verifier is the secret of PKCE.
	Verifier string
}

// Config is what a Client needs.
type Config struct {
	// Private lets providers of organizations be in private networks and speak without TLS.
	Private bool
	Clock   clock.Clock
}

const (
	// documentLifetime is how long a discovery document is good; keepLifetime how long an old one is used when there is no
	// other.
	documentLifetime = time.Hour
	keepLifetime     = 24 * time.Hour
	maxDocuments     = 1000
	// maxConcurrent bounds what waits for providers at once.
	maxConcurrent = 64
)

// Client speaks with providers.
type Client struct {
	private bool
	clock   clock.Clock
	own     *http.Client
	foreign *http.Client
	slots   chan struct{}

	mu        sync.Mutex
	documents map[documentKey]document
}

type documentKey struct {
	issuer  string
	foreign bool
}

// document is what discovery has found.
type document struct {
	provider *oidc.Provider
	metadata metadata
	readAt   time.Time
}

type metadata struct {
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	Announced   bool     `json:"authorization_response_iss_parameter_supported"`
	TokenURL    string   `json:"token_endpoint"`
}

// New returns a client.
func New(config Config) *Client {
	return &Client{
		private: config.Private, clock: config.Clock,
		own: newHTTPClient(false), foreign: newHTTPClient(!config.Private),
		slots: make(chan struct{}, maxConcurrent), documents: map[documentKey]document{},
	}
}

// enter takes one of the places; the release must be called.
func (c *Client) enter() (release func(), err error) {
	select {
	case c.slots <- struct{}{}:
		return func() { <-c.slots }, nil
	default:
		return nil, domain.ErrOverloaded.WithRetryAfter(time.Second)
	}
}

// within is the context in which the libraries use our HTTP client.
func (c *Client) within(ctx context.Context, provider Provider) context.Context {
	client := c.own
	if provider.Foreign {
		client = c.foreign
	}
	return oidc.ClientContext(ctx, client)
}

// Check reads the provider's discovery document, as it is now.
func (c *Client) Check(ctx context.Context, provider Provider) error {
	release, err := c.enter()
	if err != nil {
		return err
	}
	defer release()
	if _, err := c.read(ctx, provider); err != nil {
		return domain.ErrSSOIssuerInvalid.WithViolation(errs.Violation{
			Field: "ssoConnection.issuer", Rule: "issuer", Message: "must be an issuer whose discovery document names it",
		}).WithCause(err)
	}
	return nil
}

// Begin returns where to send the browser, and whether the provider will say in its answer who it is.
func (c *Client) Begin(ctx context.Context, provider Provider, request Request) (address string, announced bool, err error) {
	release, err := c.enter()
	if err != nil {
		return "", false, err
	}
	defer release()
	config, found, err := c.describe(ctx, provider)
	if err != nil {
		return "", false, err
	}
	config.RedirectURL = request.RedirectURI
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(request.Verifier)}
	if provider.Kind == OpenID {
		options = append(options, oidc.Nonce(request.Nonce))
	}
	return config.AuthCodeURL(request.State, options...), found.metadata.Announced, nil
}

// Finish trades the code for who the person is.
func (c *Client) Finish(ctx context.Context, provider Provider, request Request, code string) (domain.Person, error) {
	release, err := c.enter()
	if err != nil {
		return domain.Person{}, err
	}
	defer release()
	config, found, err := c.describe(ctx, provider)
	if err != nil {
		return domain.Person{}, err
	}
	config.RedirectURL = request.RedirectURI
	ctx = c.within(ctx, provider)
	tokens, err := config.Exchange(ctx, code, oauth2.VerifierOption(request.Verifier))
	if err != nil {
		return domain.Person{}, classify("exchange code", err)
	}
	if provider.Kind == GitHub {
		return c.askGitHub(ctx, provider, tokens)
	}
	return c.readTokens(ctx, provider, found.provider, request, tokens)
}

// describe returns how the provider is spoken with.
func (c *Client) describe(ctx context.Context, provider Provider) (*oauth2.Config, document, error) {
	config := &oauth2.Config{ClientID: provider.ClientID, ClientSecret: provider.ClientSecret, Scopes: provider.Scopes}
	if provider.Kind == GitHub {
		config.Endpoint = oauth2.Endpoint{
			AuthURL: provider.Issuer + "/login/oauth/authorize", TokenURL: provider.Issuer + "/login/oauth/access_token",
			AuthStyle: oauth2.AuthStyleInParams,
		}
		return config, document{}, nil
	}
	found, err := c.discover(ctx, provider)
	if err != nil {
		return nil, document{}, domain.ErrProviderUnavailable.WithCause(err)
	}
	config.Endpoint = found.provider.Endpoint()
	// Trying both, as the library does by itself, could use a code up that is good once.
	config.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if known := found.metadata.AuthMethods; len(known) > 0 && !slices.Contains(known, "client_secret_basic") {
		config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return config, found, nil
}

// discover returns a provider's document, from memory while it is young. Two that find it old both read it.
func (c *Client) discover(ctx context.Context, provider Provider) (document, error) {
	key := documentKey{provider.Issuer, provider.Foreign}
	c.mu.Lock()
	known, ok := c.documents[key]
	c.mu.Unlock()
	age := c.clock.Now().Sub(known.readAt)
	if ok && age < documentLifetime {
		return known, nil
	}
	read, err := c.read(ctx, provider)
	if err != nil && ok && age < keepLifetime {
		return known, nil
	}
	return read, err
}

func (c *Client) read(ctx context.Context, provider Provider) (document, error) {
	if provider.Foreign && !c.private {
		if parsed, err := url.Parse(provider.Issuer); err != nil || parsed.Scheme != "https" || parsed.User != nil {
			return document{}, errors.New("an issuer is an https URL")
		}
	}
	found, err := oidc.NewProvider(c.within(ctx, provider), provider.Issuer)
	if err != nil {
		return document{}, fmt.Errorf("read discovery document: %w", err)
	}
	read := document{provider: found, readAt: c.clock.Now()}
	if err := found.Claims(&read.metadata); err != nil {
		return document{}, fmt.Errorf("read discovery document: %w", err)
	}
	if read.metadata.TokenURL == "" || found.Endpoint().AuthURL == "" {
		return document{}, errors.New("the discovery document names no endpoints")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.documents) >= maxDocuments {
		clear(c.documents) // It is a cache: what is wanted is read again.
	}
	c.documents[documentKey{provider.Issuer, provider.Foreign}] = read
	return read, nil
}

// classify tells a provider that said no from one that did not answer.
func classify(action string, err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode < http.StatusInternalServerError {
		return domain.ErrProviderRefused.WithCause(fmt.Errorf("%s: the provider answered %d %q", action, refused.Response.StatusCode, refused.ErrorCode))
	}
	if errors.As(err, &refused) {
		return domain.ErrProviderUnavailable.WithCause(fmt.Errorf("%s: the provider answered an error", action))
	}
	return domain.ErrProviderUnavailable.WithCause(fmt.Errorf("%s: %w", action, err))
}

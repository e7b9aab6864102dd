package identity_test

import (
	"net/url"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	"github.com/braidhq/braid/services/identity"
	"github.com/braidhq/braid/testkit/oidctest"
	"github.com/braidhq/braid/testkit/pgtest"
)

// callback is where the configuration has providers send browsers back to when it names nothing else.
const callback = "http://braid.test/auth/callback"

var people = map[string]oidctest.Account{
	"ada":     {Email: "ada@example.com", EmailVerified: true, Name: "Ada Lovelace"},
	"mallory": {Email: "ada@example.com", EmailVerified: true, Name: "Not Ada"},
	"eve":     {Email: "eve@example.com", Name: "Eve"},
	"carl":    {Email: "carl@corp.example", Name: "Carl"},
}

// federated is a harness with a foreign provider behind "oidc". Its clock is right: the provider's is.
func federated(t *testing.T, change func(config *identity.Config)) (*harness, *oidctest.Provider) {
	t.Helper()
	provider := oidctest.Start(t, callback, people)
	config := testConfig()
	config.Providers.OIDC = identity.OIDCConfig{
		ClientID: oidctest.ClientID, ClientSecret: oidctest.ClientSecret, Issuer: provider.Issuer, DisplayName: "Corporate",
		Scopes: []string{"openid", "email", "profile"},
	}
	if change != nil {
		change(&config)
	}
	database := pgtest.Open(t, "identity", identity.Migrations()...)
	h := assemble(t, database, database.DB, config)
	h.clock.Advance(time.Since(h.clock.Now()))
	return h, provider
}

func (h *harness) providers() identityv1connect.ProviderServiceClient {
	return identityv1connect.NewProviderServiceClient(h.as(""), h.url)
}

func (h *harness) identities(accessToken string) identityv1connect.ExternalIdentityServiceClient {
	return identityv1connect.NewExternalIdentityServiceClient(h.as(accessToken), h.url)
}

func byProvider(name string) *identityv1.BeginProviderLoginRequest {
	return &identityv1.BeginProviderLoginRequest{ProviderId: name, RedirectUri: callback}
}

func (h *harness) begin(request *identityv1.BeginProviderLoginRequest) *identityv1.BeginProviderLoginResponse {
	h.t.Helper()
	begun, err := h.providers().BeginProviderLogin(h.t.Context(), request)
	require.NoError(h.t, err)
	return begun
}

// back is what a client shows of a browser that came back.
func back(begun *identityv1.BeginProviderLoginResponse, parameters url.Values) *identityv1.FinishProviderLoginRequest {
	return &identityv1.FinishProviderLoginRequest{
		State: parameters.Get("state"), Code: parameters.Get("code"), Issuer: parameters.Get("iss"), BrowserToken: begun.GetBrowserToken(),
	}
}

func (h *harness) finish(request *identityv1.FinishProviderLoginRequest) (*identityv1.LoginResponse, error) {
	return h.providers().FinishProviderLogin(h.t.Context(), request)
}

// signInBy goes the whole way.
func (h *harness) signInBy(provider *oidctest.Provider, request *identityv1.BeginProviderLoginRequest, name string) (*identityv1.LoginResponse, error) {
	h.t.Helper()
	begun := h.begin(request)
	return h.finish(back(begun, provider.LogIn(begun.GetAuthorizationUrl(), name)))
}

func requireReason(t *testing.T, reason string, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, reason, reasonOf(t, err))
}

func TestSomebodyNewSignsInByAForeignProvider(t *testing.T) {
	t.Parallel()
	h, provider := federated(t, nil)
	listed, err := h.providers().ListProviders(t.Context(), &identityv1.ListProvidersRequest{})
	require.NoError(t, err)
	require.Len(t, listed.GetProviders(), 1, "what has no client id is not offered")
	require.Equal(t, "Corporate", listed.GetProviders()[0].GetDisplayName())

	begun := h.begin(byProvider("oidc"))
	asked, err := url.Parse(begun.GetAuthorizationUrl())
	require.NoError(t, err)
	require.Equal(t, "S256", asked.Query().Get("code_challenge_method"))
	require.NotEmpty(t, asked.Query().Get("nonce"))
	require.NotContains(t, begun.GetAuthorizationUrl(), begun.GetBrowserToken())
	login, err := h.finish(back(begun, provider.LogIn(begun.GetAuthorizationUrl(), "ada")))
	require.NoError(t, err)
	require.Equal(t, "ada@example.com", login.GetUser().GetEmail())
	require.Equal(t, "Ada Lovelace", login.GetUser().GetDisplayName())
	require.True(t, h.active(login.GetAccessToken()))
	require.Equal(t, []any{"sso"}, claimsOf(t, login.GetAccessToken())["amr"])
	require.Equal(t, []string{
		"identity.user.registered", "identity.external_identity.linked", "identity.login.succeeded",
	}, h.typesSince(0)[:3])

	again, err := h.signInBy(provider, byProvider("oidc"), "ada")
	require.NoError(t, err)
	require.Equal(t, login.GetUser().GetId(), again.GetUser().GetId())
	require.Equal(t, 1, h.count(`select count(*) from account`))

	_, err = h.login("ada@example.com", goodPassword)
	requireReason(t, "CREDENTIALS_INVALID", err)
	links, err := h.identities(again.GetAccessToken()).ListIdentities(t.Context(), &identityv1.ListIdentitiesRequest{})
	require.NoError(t, err)
	require.Len(t, links.GetIdentities(), 1)
	_, err = h.identities(again.GetAccessToken()).DeleteIdentity(t.Context(), &identityv1.DeleteIdentityRequest{IdentityId: links.GetIdentities()[0].GetId()})
	requireReason(t, "LAST_IDENTITY", err)
	for _, secret := range []string{begun.GetBrowserToken(), oidctest.ClientSecret, asked.Query().Get("state"), asked.Query().Get("nonce")} {
		require.NotContains(t, h.logs.String(), secret)
	}
}

func TestASecondFactorIsAskedForAfterTheProvider(t *testing.T) {
	t.Parallel()
	h, provider := federated(t, nil)
	login, err := h.signInBy(provider, byProvider("oidc"), "ada")
	require.NoError(t, err)
	phone, _ := h.secure(login.GetAccessToken())
	_, err = h.signInBy(provider, byProvider("oidc"), "ada")
	requireReason(t, "FACTOR_REQUIRED", err)
	second, err := h.answer(factsOf(t, err)["challengeToken"], phone.code(0))
	require.NoError(t, err)
	require.Equal(t, []any{"mfa", "otp", "sso"}, claimsOf(t, second.GetAccessToken())["amr"])
}

func TestAnAccountIsNotTakenByAnAddress(t *testing.T) {
	t.Parallel()
	h, provider := federated(t, nil)
	user := h.signUp("Ada@example.com")
	before := len(h.events())
	_, err := h.signInBy(provider, byProvider("oidc"), "mallory")
	requireReason(t, "LINK_REQUIRED", err)
	require.Equal(t, []string{"identity.external_identity.refused"}, h.typesSince(before))
	require.Zero(t, h.count(`select count(*) from external_identity`))
	require.Zero(t, h.count(`select count(*) from session`))
	link := &identityv1.LinkProviderLoginRequest{LinkToken: factsOf(t, err)["linkToken"], Password: "not the password"}
	for range 4 {
		_, err = h.providers().LinkProviderLogin(t.Context(), link)
		requireReason(t, "CREDENTIALS_INVALID", err)
	}
	elsewhere := identityv1connect.NewProviderServiceClient(h.client, h.url) // Another User-Agent.
	link.Password = goodPassword
	_, err = elsewhere.LinkProviderLogin(t.Context(), link)
	requireReason(t, "CHALLENGE_EXPIRED", err)

	linked, err := h.providers().LinkProviderLogin(t.Context(), link)
	require.NoError(t, err, "the fifth password is the right one")
	require.Equal(t, user.GetId(), linked.GetUser().GetId())
	require.Equal(t, []any{"pwd", "sso"}, claimsOf(t, linked.GetAccessToken())["amr"])
	_, err = h.providers().LinkProviderLogin(t.Context(), link)
	requireReason(t, "CHALLENGE_EXPIRED", err)
	again, err := h.signInBy(provider, byProvider("oidc"), "mallory")
	require.NoError(t, err)
	require.Equal(t, user.GetId(), again.GetUser().GetId())
	_, err = h.signInBy(provider, byProvider("oidc"), "ada")
	requireReason(t, "LINK_REQUIRED", err)
}

// Whoever can make a provider say an address guesses at its password no more often than by logging in.
func TestLinkingGuessesFromTheBudgetOfLogins(t *testing.T) {
	t.Parallel()
	h, provider := federated(t, nil)
	h.signUp("Ada@example.com")
	refusals := map[string]int{}
	for range 4 {
		_, err := h.auth.Login(t.Context(), &identityv1.LoginRequest{Email: "ada@example.com", Password: "not the password"})
		refusals[reasonOf(t, err)]++
	}
	_, err := h.signInBy(provider, byProvider("oidc"), "mallory")
	requireReason(t, "LINK_REQUIRED", err)
	link := &identityv1.LinkProviderLoginRequest{LinkToken: factsOf(t, err)["linkToken"], Password: "not the password"}
	for range 2 {
		_, err = h.providers().LinkProviderLogin(t.Context(), link)
		refusals[reasonOf(t, err)]++
	}
	require.Equal(t, map[string]int{"CREDENTIALS_INVALID": 6}, refusals)
	link.Password = goodPassword
	_, err = h.providers().LinkProviderLogin(t.Context(), link)
	requireReason(t, "ACCOUNT_LOCKED", err)
}

func TestAnAddressThatTheProviderDoesNotVouchForMakesNoAccount(t *testing.T) {
	t.Parallel()
	h, provider := federated(t, func(config *identity.Config) { config.Providers.OIDC.TrustedDomains = []string{"Corp.example"} })
	_, err := h.signInBy(provider, byProvider("oidc"), "eve")
	requireReason(t, "EMAIL_UNVERIFIED", err)
	require.Zero(t, h.count(`select count(*) from account`))
	_, err = h.signInBy(provider, byProvider("oidc"), "carl")
	require.NoError(t, err, "the provider hands such addresses out itself")
}

func TestALoginIsFinishedOnceInTimeByWhoHasBegunIt(t *testing.T) {
	t.Parallel()
	h, provider := federated(t, nil)
	begun := h.begin(byProvider("oidc"))
	parameters := provider.LogIn(begun.GetAuthorizationUrl(), "ada")
	other := h.begin(byProvider("oidc"))
	lured := back(other, parameters)
	_, err := h.finish(lured)
	requireReason(t, "LOGIN_STATE_INVALID", err)
	_, err = h.finish(back(begun, parameters))
	requireReason(t, "LOGIN_STATE_INVALID", err)

	begun = h.begin(byProvider("oidc"))
	finished := back(begun, provider.LogIn(begun.GetAuthorizationUrl(), "ada"))
	_, err = h.finish(finished)
	require.NoError(t, err)
	_, err = h.finish(finished)
	requireReason(t, "LOGIN_STATE_INVALID", err)
	// The same code under a state of its own: neither the provider nor PKCE lets it pass.
	fresh := h.begin(byProvider("oidc"))
	asked, err := url.Parse(fresh.GetAuthorizationUrl())
	require.NoError(t, err)
	replayed := back(fresh, url.Values{"state": {asked.Query().Get("state")}, "code": {finished.GetCode()}, "iss": {provider.Issuer}})
	_, err = h.finish(replayed)
	requireReason(t, "PROVIDER_REFUSED", err)

	late := h.begin(byProvider("oidc"))
	parameters = provider.LogIn(late.GetAuthorizationUrl(), "ada")
	h.clock.Advance(10 * time.Minute)
	_, err = h.finish(back(late, parameters))
	requireReason(t, "LOGIN_STATE_INVALID", err)
	_, err = h.finish(&identityv1.FinishProviderLoginRequest{State: "none", Code: "none", BrowserToken: "none"})
	requireReason(t, "LOGIN_STATE_INVALID", err)
}

// An attacker's code, injected into somebody's login: it was made for another challenge.
func TestACodeOfAnotherLoginIsRefusedByPKCE(t *testing.T) {
	t.Parallel()
	h, provider := federated(t, nil)
	attackers, victims := h.begin(byProvider("oidc")), h.begin(byProvider("oidc"))
	injected := provider.LogIn(attackers.GetAuthorizationUrl(), "mallory")
	parameters := provider.LogIn(victims.GetAuthorizationUrl(), "ada")
	parameters.Set("code", injected.Get("code"))
	_, err := h.finish(back(victims, parameters))
	requireReason(t, "PROVIDER_REFUSED", err)
	require.Zero(t, h.count(`select count(*) from account`))
}

func TestAnIDTokenWithAnotherNonceIsRefused(t *testing.T) {
	t.Parallel()
	h, provider := federated(t, nil)
	begun := h.begin(byProvider("oidc"))
	asked, err := url.Parse(begun.GetAuthorizationUrl())
	require.NoError(t, err)
	query := asked.Query()
	query.Set("nonce", "another")
	asked.RawQuery = query.Encode()
	_, err = h.finish(back(begun, provider.LogIn(asked.String(), "ada")))
	requireReason(t, "PROVIDER_REFUSED", err)
	require.Contains(t, h.logs.String(), "another nonce")
}

func TestAnAnswerOfAnotherIssuerIsRefused(t *testing.T) {
	t.Parallel()
	h, provider := federated(t, nil)
	honest := h.begin(byProvider("oidc"))
	request := back(honest, provider.LogIn(honest.GetAuthorizationUrl(), "ada"))
	request.Issuer = "https://attacker.example"
	_, err := h.finish(request)
	requireReason(t, "LOGIN_STATE_INVALID", err)
	silent := h.begin(byProvider("oidc"))
	request = back(silent, provider.LogIn(silent.GetAuthorizationUrl(), "ada"))
	request.Issuer = ""
	_, err = h.finish(request)
	requireReason(t, "LOGIN_STATE_INVALID", err)
}

func TestRedirectURIsAreComparedLetterByLetter(t *testing.T) {
	t.Parallel()
	h, _ := federated(t, nil)
	for _, forged := range []string{
		callback + "/", callback + "?next=https://attacker.example", callback + "#x", "HTTP://braid.test/auth/callback",
		"http://braid.test/auth/../auth/callback", "http://braid.test@attacker.example/auth/callback", "https://attacker.example/",
		"http://braid.test/auth/callback%00", "javascript:alert(1)",
	} {
		request := byProvider("oidc")
		request.RedirectUri = forged
		_, err := h.providers().BeginProviderLogin(t.Context(), request)
		requireReason(t, "REDIRECT_URI_FORBIDDEN", err)
		require.Equal(t, []string{"redirectUri"}, fieldsOf(t, err))
	}
	_, err := h.providers().BeginProviderLogin(t.Context(), byProvider("google"))
	requireReason(t, "PROVIDER_UNKNOWN", err)
}

func TestAProviderThatIsDownBreaksItsOwnLoginOnly(t *testing.T) {
	t.Parallel()
	h, provider := federated(t, nil)
	h.signUp("bob@example.com")
	begun := h.begin(byProvider("oidc"))
	parameters := provider.LogIn(begun.GetAuthorizationUrl(), "ada")
	provider.Hang()
	_, err := h.finish(back(begun, parameters))
	requireReason(t, "PROVIDER_UNAVAILABLE", err)
	require.Equal(t, connect.CodeUnavailable, connect.CodeOf(err))
	h.signIn("bob@example.com")
	h.begin(byProvider("oidc")) // What was discovered an hour ago is good enough to begin.
	h.clock.Advance(25 * time.Hour)
	_, err = h.providers().BeginProviderLogin(t.Context(), byProvider("oidc"))
	requireReason(t, "PROVIDER_UNAVAILABLE", err)
	h.clock.Advance(-25 * time.Hour)
	provider.Go()
	_, err = h.signInBy(provider, byProvider("oidc"), "ada")
	require.NoError(t, err)
}

func TestTheProviderExchangesItsKey(t *testing.T) {
	t.Parallel()
	h, provider := federated(t, nil)
	first, err := h.signInBy(provider, byProvider("oidc"), "ada")
	require.NoError(t, err)
	provider.Rotate()
	second, err := h.signInBy(provider, byProvider("oidc"), "ada")
	require.NoError(t, err)
	require.Equal(t, first.GetUser().GetId(), second.GetUser().GetId())
}

func TestAUserLinksAndUnlinksAProvider(t *testing.T) {
	t.Parallel()
	h, provider := federated(t, nil)
	user := h.signUp("bob@example.com")
	token := h.signIn("bob@example.com").GetAccessToken()
	begin := &identityv1.BeginIdentityRequest{ProviderId: "oidc", RedirectUri: callback}
	link := func() *identityv1.FinishIdentityRequest {
		begun, err := h.identities(token).BeginIdentity(t.Context(), begin)
		require.NoError(t, err)
		parameters := provider.LogIn(begun.GetAuthorizationUrl(), "eve")
		return &identityv1.FinishIdentityRequest{
			State: parameters.Get("state"), Code: parameters.Get("code"), Issuer: parameters.Get("iss"), BrowserToken: begun.GetBrowserToken(),
		}
	}
	h.signUp("mallory@example.com")
	stranger := h.signIn("mallory@example.com").GetAccessToken()
	_, err := h.identities(stranger).FinishIdentity(t.Context(), link())
	requireReason(t, "LOGIN_STATE_INVALID", err)
	request := link()
	_, err = h.finish(&identityv1.FinishProviderLoginRequest{
		State: request.GetState(), Code: request.GetCode(), Issuer: request.GetIssuer(), BrowserToken: request.GetBrowserToken(),
	})
	requireReason(t, "LOGIN_STATE_INVALID", err)

	made, err := h.identities(token).FinishIdentity(t.Context(), link())
	require.NoError(t, err, "both were shown: the address may be another, and unverified")
	require.Equal(t, "oidc", made.GetProviderId())
	login, err := h.signInBy(provider, byProvider("oidc"), "eve")
	require.NoError(t, err)
	require.Equal(t, user.GetId(), login.GetUser().GetId())
	_, err = h.identities(token).FinishIdentity(t.Context(), link())
	requireReason(t, "IDENTITY_TAKEN", err)
	_, err = h.identities(stranger).DeleteIdentity(t.Context(), &identityv1.DeleteIdentityRequest{IdentityId: made.GetId()})
	requireReason(t, "NOT_FOUND", err)

	before := len(h.events())
	_, err = h.identities(token).DeleteIdentity(t.Context(), &identityv1.DeleteIdentityRequest{IdentityId: made.GetId()})
	require.NoError(t, err)
	require.Equal(t, []string{"identity.external_identity.unlinked"}, h.typesSince(before))
	_, err = h.signInBy(provider, byProvider("oidc"), "eve")
	requireReason(t, "EMAIL_UNVERIFIED", err)
	h.clock.Advance(11 * time.Minute)
	_, err = h.identities(token).BeginIdentity(t.Context(), begin)
	require.Error(t, err, "a way in is added by who has just proved who they are")
}

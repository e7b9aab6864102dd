package identity_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/id"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// form sends a form; change adjusts the request.
func (h *harness) form(path string, values url.Values, change func(*http.Request)) (int, map[string]any, http.Header) {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.url+path, strings.NewReader(values.Encode()))
	require.NoError(h.t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if change != nil {
		change(request)
	}
	response, err := h.client.Do(request)
	require.NoError(h.t, err)
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	require.NoError(h.t, err)
	decoded := map[string]any{}
	if len(data) > 0 {
		require.NoError(h.t, json.Unmarshal(data, &decoded), "%s", data)
	}
	return response.StatusCode, decoded, response.Header
}

// basic shows a client's secret.
func basic(clientID, secret string) func(*http.Request) {
	return func(request *http.Request) { request.SetBasicAuth(url.QueryEscape(clientID), url.QueryEscape(secret)) }
}

// trade gets an access token for a robot's key.
func (h *harness) trade(r robot, scope string) string {
	h.t.Helper()
	status, answer, header := h.form("/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}, basic(r.id, r.key.GetSecret()))
	require.Equal(h.t, http.StatusOK, status, "%v", answer)
	require.Equal(h.t, "no-store", header.Get("Cache-Control"))
	text, _ := answer["access_token"].(string)
	return text
}

// refusedForm requires an answer in OAuth's words.
func refusedForm(t *testing.T, status int, code string, gotStatus int, answer map[string]any, why string) {
	t.Helper()
	require.Equal(t, status, gotStatus, "%s: %v", why, answer)
	require.Equal(t, code, answer["error"], why)
	require.NotEmpty(t, answer["error_description"], why)
}

func TestClientCredentialsTradeAKeyForAToken(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	r := h.newRobot("admin", "identity.service_account.read", "workflow.*")
	status, answer, _ := h.form("/oauth2/token", url.Values{"grant_type": {"client_credentials"}}, basic(r.id, r.key.GetSecret()))
	require.Equal(t, http.StatusOK, status, "%v", answer)
	require.Equal(t, "Bearer", answer["token_type"])
	require.InDelta(t, 600, answer["expires_in"], 0)
	require.Equal(t, "identity.service_account.read workflow.*", answer["scope"])
	all, _ := answer["access_token"].(string)
	require.NoError(t, h.list(all, r.organization))
	require.Equal(t, "NOT_FOUND", reasonOf(t, h.list(all, id.New())))

	narrow := h.trade(r, "workflow.task.read")
	require.Equal(t, "SCOPE_MISSING", reasonOf(t, h.list(narrow, r.organization)))
	status, answer, _ = h.form("/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "scope": {"workflow.* audit.event.read"}}, basic(r.id, r.key.GetSecret()))
	refusedForm(t, http.StatusBadRequest, "invalid_scope", status, answer, "more than the key has")

	h.clock.Advance(authn.AccessTokenLife)
	require.Equal(t, "TOKEN_INVALID", reasonOf(t, h.list(all, r.organization)))
}

func TestTokenEndpointRefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	r, other := h.newRobot("admin", "identity.*"), h.newRobot("admin", "identity.*")
	session, _ := h.member("ada@example.com", r.organization, "admin")
	personal, err := h.accessTokens(session).CreateAccessToken(t.Context(), &identityv1.CreateAccessTokenRequest{DisplayName: "x", Scopes: []string{"workflow.*"}})
	require.NoError(t, err)
	grant := url.Values{"grant_type": {"client_credentials"}}
	with := func(more url.Values) url.Values {
		values := url.Values{"grant_type": {"client_credentials"}}
		for name, value := range more {
			values[name] = value
		}
		return values
	}
	good := basic(r.id, r.key.GetSecret())
	for name, row := range map[string]struct {
		values url.Values
		change func(*http.Request)
		status int
		code   string
	}{
		"no proof":                    {grant, nil, 401, "invalid_client"},
		"another client's secret":     {grant, basic(r.id, other.key.GetSecret()), 401, "invalid_client"},
		"a person's access token":     {grant, basic(r.id, personal.GetToken()), 401, "invalid_client"},
		"a wrong secret":              {grant, basic(r.id, "braid_key_nothing"), 401, "invalid_client"},
		"no grant":                    {url.Values{}, good, 400, "invalid_request"},
		"another grant":               {url.Values{"grant_type": {"password"}}, good, 400, "unsupported_grant_type"},
		"a grant twice":               {url.Values{"grant_type": {"client_credentials", "client_credentials"}}, good, 400, "invalid_request"},
		"secret in the form":          {with(url.Values{"client_id": {r.id}, "client_secret": {r.key.GetSecret()}}), nil, 400, "invalid_request"},
		"two proofs":                  {with(url.Values{"client_assertion": {"x"}, "client_assertion_type": {assertionType}}), good, 400, "invalid_request"},
		"another client in the form":  {with(url.Values{"client_id": {other.id}}), good, 400, "invalid_request"},
		"another sort of assertion":   {with(url.Values{"client_assertion": {"x"}, "client_assertion_type": {"saml"}}), nil, 400, "invalid_request"},
		"an assertion that is none":   {with(url.Values{"client_assertion": {"x"}, "client_assertion_type": {assertionType}}), nil, 401, "invalid_client"},
		"JSON":                        {grant, func(request *http.Request) { request.Header.Set("Content-Type", "application/json") }, 415, "invalid_request"},
		"parameters in the query":     {grant, func(request *http.Request) { good(request); request.URL.RawQuery = "scope=workflow.*" }, 400, "invalid_request"},
		"more than a form of ours is": {with(url.Values{"scope": {strings.Repeat("x", 70_000)}}), good, 413, "invalid_request"},
	} {
		status, answer, header := h.form("/oauth2/token", row.values, row.change)
		refusedForm(t, row.status, row.code, status, answer, name)
		require.NotEmpty(t, header.Get("X-Correlation-Id"), name)
		if row.status == http.StatusUnauthorized {
			require.Contains(t, header.Get("WWW-Authenticate"), "Basic", name)
		}
	}
	require.NotContains(t, h.logs.String(), r.key.GetSecret())
}

func TestIntrospectionTellsAnOrganizationsClientsOnly(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	r, stranger := h.newRobot("admin", "identity.*"), h.newRobot("admin", "identity.*")
	ask := func(who robot, text string) map[string]any {
		status, answer, _ := h.form("/oauth2/introspect", url.Values{"token": {text}}, basic(who.id, who.key.GetSecret()))
		require.Equal(t, http.StatusOK, status, "%v", answer)
		return answer
	}
	text := h.trade(r, "identity.service_account.read")
	h.authenticator.TakeUses()
	answer := ask(r, text)
	require.Equal(t, true, answer["active"])
	require.Equal(t, r.id, answer["client_id"])
	require.Equal(t, "identity.service_account.read", answer["scope"])
	require.InDelta(t, h.clock.Now().Add(authn.AccessTokenLife).Unix(), answer["exp"], 0)
	require.Empty(t, h.authenticator.TakeUses(), "to ask about a token is no use of it")
	require.Equal(t, true, ask(r, r.key.GetSecret())["active"])
	inactive := map[string]any{"active": false}
	require.Equal(t, inactive, ask(stranger, text))
	require.Equal(t, inactive, ask(stranger, r.key.GetSecret()))
	require.Equal(t, inactive, ask(r, r.admin), "a session is nobody's business")
	require.Equal(t, inactive, ask(r, "nothing"))
	status, answer, _ := h.form("/oauth2/introspect", url.Values{"token": {text}}, nil)
	refusedForm(t, http.StatusUnauthorized, "invalid_client", status, answer, "anonymous")
	h.clock.Advance(authn.AccessTokenLife)
	require.Equal(t, inactive, ask(r, text))
}

func TestRevokedTokenIsRefusedAndItsSistersAreNot(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	r, stranger := h.newRobot("admin", "identity.*"), h.newRobot("admin", "identity.*")
	text, sister := h.trade(r, ""), h.trade(r, "")
	revoke := func(who robot, text string) int {
		status, _, _ := h.form("/oauth2/revoke", url.Values{"token": {text}, "token_type_hint": {"access_token"}}, basic(who.id, who.key.GetSecret()))
		return status
	}
	require.Equal(t, http.StatusBadRequest, revoke(stranger, text), "another client's")
	require.NoError(t, h.list(text, r.organization))
	before := len(h.events())
	require.Equal(t, http.StatusOK, revoke(r, text))
	require.Equal(t, http.StatusOK, revoke(r, text), "once more is fine")
	require.Equal(t, http.StatusOK, revoke(r, "nothing"))
	require.Equal(t, "TOKEN_INVALID", reasonOf(t, h.list(text, r.organization)))
	require.NoError(t, h.list(sister, r.organization))
	told := h.events()[before:]
	require.Len(t, told, 1)
	require.Equal(t, "identity.oauth_token.revoked", told[0].eventType)
	require.Contains(t, told[0].attributes, `"service_account"`)
	require.Contains(t, told[0].attributes, r.key.GetId(), "which key it was that acted")
	claims := &authn.Claims{}
	_, _, err := jwt.NewParser().ParseUnverified(text, claims)
	require.NoError(t, err)
	good, err := lateCredentials{h}.Good(t.Context(), id.MustParse(claims.KeyID), id.MustParse(claims.ID))
	require.NoError(t, err)
	require.False(t, good, "who must ask hears it from the owner")
}

func TestMetadataNamesTheEndpoints(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	status, document := h.rest(http.MethodGet, "/.well-known/oauth-authorization-server", "", "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "http://braid.test", document["issuer"])
	require.Equal(t, "http://braid.test/oauth2/token", document["token_endpoint"])
	require.Equal(t, []any{"client_secret_basic", "private_key_jwt"}, document["token_endpoint_auth_methods_supported"])
	require.Contains(t, document["scopes_supported"], "workflow.*")
	require.Contains(t, document["scopes_supported"], "workflow.task.read")
	require.NotContains(t, document["scopes_supported"], "identity.api_key.create")
	status, refused := h.rest(http.MethodGet, "/oauth2/token", "", "")
	require.Equal(t, http.StatusMethodNotAllowed, status, "%v", refused)
}

// signer is a client that has registered the public half of its key.
type signer struct {
	robot
	method  jwt.SigningMethod
	private any
	public  any
}

func (h *harness) newSigner(r robot, curve string) signer {
	h.t.Helper()
	write := base64.RawURLEncoding.EncodeToString
	s := signer{robot: r}
	registered := &identityv1.PublicKey{Kty: "OKP", Crv: curve}
	if curve == "P-256" {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(h.t, err)
		point, err := private.PublicKey.Bytes()
		require.NoError(h.t, err)
		s.method, s.private, s.public = jwt.SigningMethodES256, private, &private.PublicKey
		registered.Kty, registered.X, registered.Y = "EC", write(point[1:33]), write(point[33:])
	} else {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(h.t, err)
		s.method, s.private, s.public = jwt.SigningMethodEdDSA, private, public
		registered.X = write(public)
	}
	key, err := h.apiKeys(r.admin).CreateApiKey(h.t.Context(), &identityv1.CreateApiKeyRequest{
		OrganizationId: r.organization.String(), ServiceAccountId: r.id, DisplayName: "Signing", Scopes: []string{"identity.*"}, PublicKey: registered,
	})
	require.NoError(h.t, err)
	require.Empty(h.t, key.GetSecret(), "its private half never was here")
	require.Equal(h.t, registered.GetX(), key.GetPublicKey().GetX())
	s.key = key
	return s
}

// claims are those of a good assertion.
func (s signer) claims(now time.Time) jwt.MapClaims {
	return jwt.MapClaims{
		"iss": s.id, "sub": s.id, "aud": "http://braid.test/oauth2/token", "jti": id.New().String(),
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}
}

// sign makes an assertion; change adjusts its header.
func (s signer) sign(t *testing.T, method jwt.SigningMethod, key any, claims jwt.Claims, change func(header map[string]any)) string {
	t.Helper()
	assertion := jwt.NewWithClaims(method, claims)
	assertion.Header["kid"] = s.key.GetId()
	if change != nil {
		change(assertion.Header)
	}
	text, err := assertion.SignedString(key)
	require.NoError(t, err)
	return text
}

func (h *harness) assert(text string) (int, map[string]any) {
	h.t.Helper()
	status, answer, _ := h.form("/oauth2/token", url.Values{
		"grant_type": {"client_credentials"}, "client_assertion": {text}, "client_assertion_type": {assertionType},
	}, nil)
	return status, answer
}

func TestSignedAssertionIsGoodOnce(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for _, curve := range []string{"Ed25519", "P-256"} {
		s := h.newSigner(h.newRobot("admin", "identity.*"), curve)
		text := s.sign(t, s.method, s.private, s.claims(h.clock.Now()), nil)
		status, answer := h.assert(text)
		require.Equal(t, http.StatusOK, status, "%v", answer)
		access, _ := answer["access_token"].(string)
		require.NoError(t, h.list(access, s.organization))
		status, answer = h.assert(text)
		refusedForm(t, http.StatusUnauthorized, "invalid_client", status, answer, "replayed")
		h.clock.Advance(30 * time.Second)
		require.Equal(t, 200, func() int {
			status, _ := h.assert(s.sign(t, s.method, s.private, s.claims(h.clock.Now()), nil))
			return status
		}())

		_, err := h.apiKeys(s.admin).DeleteApiKey(t.Context(), &identityv1.DeleteApiKeyRequest{OrganizationId: s.organization.String(), ServiceAccountId: s.id, KeyId: s.key.GetId()})
		require.NoError(t, err)
		require.Equal(t, "TOKEN_INVALID", reasonOf(t, h.list(access, s.organization)), "what was issued ends with its key")
		status, answer = h.assert(s.sign(t, s.method, s.private, s.claims(h.clock.Now()), nil))
		refusedForm(t, http.StatusUnauthorized, "invalid_client", status, answer, "deleted")
	}
}

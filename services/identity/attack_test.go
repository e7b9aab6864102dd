package identity_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/credential"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/testkit/history"
)

// publicPEM is a public key as a confused verifier would take it for a shared secret.
func publicPEM(t *testing.T, public any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func TestForgedAndMisdirectedAssertionsAreRefused(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	s, other := h.newSigner(h.newRobot("admin", "identity.*"), "Ed25519"), h.newSigner(h.newRobot("admin", "identity.*"), "P-256")
	now := h.clock.Now()
	with := func(name string, value any) jwt.MapClaims {
		claims := s.claims(now)
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
		return claims
	}
	sign := func(claims jwt.MapClaims) string { return s.sign(t, s.method, s.private, claims, nil) }
	header := func(name string, value any) string {
		return s.sign(t, s.method, s.private, s.claims(now), func(header map[string]any) { header[name] = value })
	}
	service, err := h.serviceToken()
	require.NoError(t, err)
	for name, text := range map[string]string{
		"alg none":                         s.sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, s.claims(now), nil),
		"HS256 with the public key":        s.sign(t, jwt.SigningMethodHS256, publicPEM(t, s.public), s.claims(now), nil),
		"another client's key":             s.sign(t, other.method, other.private, s.claims(now), nil),
		"another client's kid":             header("kid", other.key.GetId()),
		"an unknown kid":                   header("kid", id.New().String()),
		"no kid":                           header("kid", ""),
		"a kid that is no id":              header("kid", "../../etc/passwd"),
		"the type of an access token":      header("typ", authn.AccessTokenType),
		"the type of a service token":      header("typ", authn.ServiceTokenType),
		"an extension that must be known":  header("crit", []string{"exp"}),
		"meant for somebody else":          sign(with("aud", "https://elsewhere.example.com/oauth2/token")),
		"meant for nobody":                 sign(with("aud", nil)),
		"expired":                          sign(with("exp", now.Add(-time.Minute).Unix())),
		"never expiring":                   sign(with("exp", nil)),
		"living too long":                  sign(with("exp", now.Add(time.Hour).Unix())),
		"of the future":                    sign(with("iat", now.Add(time.Hour).Unix())),
		"without a name that is good once": sign(with("jti", nil)),
		"about another subject":            sign(with("sub", other.id)),
		"by another issuer":                sign(with("iss", other.id)),
		"an access token":                  h.trade(h.newRobot("admin", "identity.*"), ""),
		"a session's token":                s.admin,
		"a service token":                  service,
	} {
		status, answer := h.assert(text)
		refusedForm(t, http.StatusUnauthorized, "invalid_client", status, answer, name)
	}
	status, answer := h.assert(sign(s.claims(now)))
	require.Equal(t, http.StatusOK, status, "the same without a flaw is good: %v", answer)
}

func TestOneSortOfTokenIsNeverGoodAsAnother(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	r := h.newRobot("admin", "identity.*")
	service, err := h.serviceToken()
	require.NoError(t, err)
	access := h.trade(r, "")
	require.NoError(t, h.list(access, r.organization))
	require.Equal(t, "TOKEN_INVALID", reasonOf(t, h.list(service, r.organization)), "a service token as access token")
	for name, text := range map[string]string{"access token": access, "API key": r.key.GetSecret(), "session": r.admin} {
		_, err := h.directoryAs(text).GetUser(t.Context(), &identityv1.GetUserRequest{UserId: id.New().String()})
		require.Equal(t, "TOKEN_INVALID", reasonOf(t, err), "%s as service token", name)
		_, err = h.refresh(text)
		require.Error(t, err, "%s as refresh token", name)
	}
	require.False(t, h.active(access), "a machine's token is no session")
	for _, path := range []string{"/api/v1/me/access-tokens", "/api/v1/me/sessions"} {
		status, refused := h.rest(http.MethodGet, path, access, "")
		require.Equal(t, http.StatusForbidden, status, "%v", refused)
	}
}

func TestAllowListCantBeSpoofedByForwardedAddresses(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	r := h.newRobot("admin", "identity.*")
	limited, err := h.apiKeys(r.admin).CreateApiKey(t.Context(), &identityv1.CreateApiKeyRequest{
		OrganizationId: r.organization.String(), ServiceAccountId: r.id, DisplayName: "Office", Scopes: []string{"identity.*"}, AllowedNetworks: []string{"203.0.113.0/24"},
	})
	require.NoError(t, err)
	path := "/api/v1/organizations/" + r.organization.String() + "/service-accounts"
	ask := func(headers map[string]string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+path, nil)
		require.NoError(t, err)
		for name, value := range headers {
			request.Header.Set(name, value)
		}
		response, err := h.as(limited.GetSecret()).Do(request)
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		var body any
		require.NoError(t, json.NewDecoder(response.Body).Decode(&body))
		return response.StatusCode, mustJSON(t, body)
	}
	forged, err := h.serviceToken()
	require.NoError(t, err)
	for name, headers := range map[string]map[string]string{
		"from elsewhere":             {},
		"X-Forwarded-For":            {"X-Forwarded-For": "203.0.113.9"},
		"other names for the same":   {"X-Real-Ip": "203.0.113.9", "Forwarded": "for=203.0.113.9", "True-Client-Ip": "203.0.113.9"},
		"vouched for by a key":       {"X-Forwarded-For": "203.0.113.9", "Braid-Forwarded-By": limited.GetSecret()},
		"vouched for by a broken":    {"X-Forwarded-For": "203.0.113.9", "Braid-Forwarded-By": forged + "x"},
		"vouched for by the gateway": {"X-Forwarded-For": "203.0.113.9", "Braid-Forwarded-By": forged},
	} {
		status, body := ask(headers)
		if name == "vouched for by the gateway" {
			require.Equal(t, http.StatusOK, status, body)
			continue
		}
		require.Equal(t, http.StatusForbidden, status, name)
		require.Contains(t, body, "ADDRESS_NOT_ALLOWED", name)
	}
	status, answer, _ := h.form("/oauth2/token", map[string][]string{"grant_type": {"client_credentials"}}, func(request *http.Request) {
		basic(r.id, limited.GetSecret())(request)
		request.Header.Set("X-Forwarded-For", "203.0.113.9")
	})
	refusedForm(t, http.StatusUnauthorized, "invalid_client", status, answer, "nor is it traded elsewhere")
}

func TestIssuedTokenKeepsItsKeysNetworks(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	r := h.newRobot("admin", "identity.*")
	key, err := h.apiKeys(r.admin).CreateApiKey(t.Context(), &identityv1.CreateApiKeyRequest{
		OrganizationId: r.organization.String(), ServiceAccountId: r.id, DisplayName: "Here", Scopes: []string{"identity.*"}, AllowedNetworks: []string{"127.0.0.1/32"},
	})
	require.NoError(t, err)
	r.key = key
	access := h.trade(r, "")
	require.NoError(t, h.list(access, r.organization))
	service, err := h.serviceToken()
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+"/api/v1/organizations/"+r.organization.String()+"/service-accounts", nil)
	require.NoError(t, err)
	request.Header.Set("X-Forwarded-For", "198.51.100.7")
	request.Header.Set("Braid-Forwarded-By", service)
	response, err := h.as(access).Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusForbidden, response.StatusCode, "carried off, it is worth nothing")
}

func TestDeletedServiceAccountsKeysAreRefused(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	r := h.newRobot("admin", "identity.*")
	access := h.trade(r, "")
	require.NoError(t, h.list(r.key.GetSecret(), r.organization))
	require.NoError(t, h.list(access, r.organization))
	before := len(h.events())
	_, err := h.serviceAccounts(r.admin).DeleteServiceAccount(t.Context(), &identityv1.DeleteServiceAccountRequest{OrganizationId: r.organization.String(), ServiceAccountId: r.id})
	require.NoError(t, err)
	require.Equal(t, "TOKEN_INVALID", reasonOf(t, h.list(r.key.GetSecret(), r.organization)))
	require.Equal(t, "TOKEN_INVALID", reasonOf(t, h.list(access, r.organization)))
	status, answer, _ := h.form("/oauth2/token", map[string][]string{"grant_type": {"client_credentials"}}, basic(r.id, r.key.GetSecret()))
	refusedForm(t, http.StatusUnauthorized, "invalid_client", status, answer, "deleted")
	told := h.events()[before:]
	require.Len(t, told, 2)
	require.Equal(t, "identity.api_key.revoked", told[0].eventType)
	require.Equal(t, "identity.service_account.deleted", told[1].eventType)
	require.Zero(t, h.count(`select count(*) from machine_credential where service_account_id is not null`))
}

func TestServiceAccountIsOfItsOrganizationOnly(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	r, other := h.newRobot("admin", "identity.*"), h.newRobot("admin", "identity.*")
	// A role elsewhere, however it came about, is none for its keys.
	h.roles.Grant(other.organization, id.MustParse(r.id), "owner")
	require.Equal(t, "NOT_FOUND", reasonOf(t, h.list(r.key.GetSecret(), other.organization)))
	_, err := h.serviceAccounts(r.admin).GetServiceAccount(t.Context(), &identityv1.GetServiceAccountRequest{OrganizationId: r.organization.String(), ServiceAccountId: other.id})
	require.Equal(t, "NOT_FOUND", reasonOf(t, err))
	_, err = h.apiKeys(r.admin).CreateApiKey(t.Context(), &identityv1.CreateApiKeyRequest{OrganizationId: r.organization.String(), ServiceAccountId: other.id, DisplayName: "x", Scopes: []string{"workflow.*"}})
	require.Equal(t, "NOT_FOUND", reasonOf(t, err))
	_, err = h.apiKeys(r.admin).DeleteApiKey(t.Context(), &identityv1.DeleteApiKeyRequest{OrganizationId: r.organization.String(), ServiceAccountId: r.id, KeyId: other.key.GetId()})
	require.Equal(t, "NOT_FOUND", reasonOf(t, err))
	bare := h.newRobot("", "identity.*")
	require.Equal(t, "NOT_FOUND", reasonOf(t, h.list(bare.key.GetSecret(), bare.organization)), "without a role it may nothing")
}

// credentialUse is an operation on one key: a look whether it is good, or its end.
type credentialUse struct{ end bool }

// Whoever looks after the end was acknowledged sees it, and nobody sees the key come back.
var keyModel = porcupine.Model{
	Init: func() any { return true },
	Step: func(state, input, output any) (bool, any) {
		if input.(credentialUse).end {
			return output.(bool) == state.(bool), false
		}
		return output.(bool) == state.(bool), state
	},
}

func TestRevocationOfAKeyAndItsUseAreLinearizable(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	processes := []*harness{h, h.twin(testConfig())}
	r := h.newRobot("admin", "identity.*")
	forged := 0
	for range 5 {
		key, err := h.apiKeys(r.admin).CreateApiKey(t.Context(), &identityv1.CreateApiKeyRequest{OrganizationId: r.organization.String(), ServiceAccountId: r.id, DisplayName: "x", Scopes: []string{"identity.*"}})
		require.NoError(t, err)
		operations := raceForKey(processes, r, key)
		require.Len(t, operations, 82)
		history.RequireLinearizable(t, keyModel, operations)
		if history.RequireForged(t, keyModel, operations, func(operation porcupine.Operation) (any, bool) {
			return false, operation.Input.(credentialUse).end && operation.Output == true
		}) {
			forged++
		}
	}
	require.Equal(t, 5, forged, "one of the two has ended it, each time")
}

// raceForKey lets eight look at a key, over and over, while two end it.
func raceForKey(processes []*harness, r robot, key *identityv1.ApiKey) []porcupine.Operation {
	hash, _ := credential.Check(key.GetSecret())
	return history.Run(10, func(client int, call func(any, func() any)) {
		process := processes[client%len(processes)]
		if client >= 8 {
			call(credentialUse{end: true}, func() any { return processes[0].endKey(r, key.GetId()) })
			return
		}
		for range 10 {
			call(credentialUse{}, func() any { return process.isGood(hash) })
		}
	}).Operations()
}

// endKey reports whether the key was there to be ended.
func (h *harness) endKey(r robot, keyID string) bool {
	_, err := h.apiKeys(r.admin).DeleteApiKey(h.t.Context(), &identityv1.DeleteApiKeyRequest{OrganizationId: r.organization.String(), ServiceAccountId: r.id, KeyId: keyID})
	if err != nil {
		assert.Equal(h.t, "NOT_FOUND", reasonOf(h.t, err))
	}
	return err == nil
}

// isGood reports whether a key is good; of one that is not nothing else is said.
func (h *harness) isGood(hash credential.Hash) bool {
	answer, err := h.credentials.VerifyCredential(h.t.Context(), &identityv1.VerifyCredentialRequest{Hash: hash[:]})
	assert.NoError(h.t, err)
	assert.Equal(h.t, answer.GetGood(), answer.GetCredentialId() != "")
	return answer.GetGood()
}

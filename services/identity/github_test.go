package identity_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/services/identity"
	"github.com/braidhq/braid/testkit/pgtest"
)

// github answers as GitHub documents it ("Authorizing OAuth apps", REST API for users and e-mails): OAuth 2 without ID
// tokens, errors with the status 200, PKCE.
type github struct {
	*httptest.Server
	t *testing.T

	mu sync.Mutex
	// challenges are the codes that are out, with what PKCE was begun with.
	challenges map[string]string
	user       map[string]any
	addresses  []map[string]any
	status     int
}

func newGitHub(t *testing.T) *github {
	t.Helper()
	g := &github{t: t, challenges: map[string]string{}, status: http.StatusOK}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login/oauth/access_token", g.token)
	mux.HandleFunc("GET /api/v3/user", g.api(func() any { return g.user }))
	mux.HandleFunc("GET /api/v3/user/emails", g.api(func() any { return g.addresses }))
	g.Server = httptest.NewServer(mux)
	t.Cleanup(g.Close)
	return g
}

// authorize is the page where a person agrees.
func (g *github) authorize(address string) url.Values {
	g.t.Helper()
	asked, err := url.Parse(address)
	require.NoError(g.t, err)
	require.Equal(g.t, "/login/oauth/authorize", asked.Path)
	query := asked.Query()
	require.Equal(g.t, "braid at github", query.Get("client_id"))
	require.Equal(g.t, "read:user user:email", query.Get("scope"))
	g.mu.Lock()
	defer g.mu.Unlock()
	code := "code of " + query.Get("state")
	g.challenges[code] = query.Get("code_challenge")
	return url.Values{"code": {code}, "state": {query.Get("state")}}
}

func (g *github) token(writer http.ResponseWriter, request *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	sum := sha256.Sum256([]byte(request.PostFormValue("code_verifier")))
	challenge, known := g.challenges[request.PostFormValue("code")]
	delete(g.challenges, request.PostFormValue("code"))
	writer.Header().Set("Content-Type", "application/json; charset=utf-8")
	if !known || challenge != base64.RawURLEncoding.EncodeToString(sum[:]) || request.PostFormValue("client_secret") != "secret at github" {
		_, _ = writer.Write([]byte(`{"error":"bad_verification_code","error_description":"The code passed is incorrect or expired."}`))
		return
	}
	_, _ = writer.Write([]byte(`{"access_token":"gho_16C7e42F292c6912E7710c838347Ae178B4a","scope":"read:user,user:email","token_type":"bearer"}`))
}

func (g *github) api(answer func() any) http.HandlerFunc {
	return func(writer http.ResponseWriter, request *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if request.Header.Get("Authorization") != "Bearer gho_16C7e42F292c6912E7710c838347Ae178B4a" {
			writer.WriteHeader(http.StatusUnauthorized)
			return
		}
		writer.WriteHeader(g.status)
		_ = json.NewEncoder(writer).Encode(answer())
	}
}

func (g *github) is(status int, number int64, addresses ...map[string]any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.status, g.user, g.addresses = status, map[string]any{"id": number, "login": "octocat", "name": nil, "email": "public@example.com"}, addresses
}

func TestPeopleSignInByGitHub(t *testing.T) {
	t.Parallel()
	g := newGitHub(t)
	config := testConfig()
	config.Providers.GitHub = identity.GitHubConfig{
		ClientID: "braid at github", ClientSecret: "secret at github", URL: g.URL, API: g.URL + "/api/v3",
	}
	database := pgtest.Open(t, "identity", identity.Migrations()...)
	h := assemble(t, database, database.DB, config)
	primary := map[string]any{"email": "octocat@example.com", "primary": true, "verified": true}
	other := map[string]any{"email": "other@example.com", "primary": false, "verified": true}
	g.is(http.StatusOK, 583231, other, primary)

	begun := h.begin(byProvider("github"))
	parameters := g.authorize(begun.GetAuthorizationUrl())
	login, err := h.finish(back(begun, parameters))
	require.NoError(t, err)
	require.Equal(t, "octocat@example.com", login.GetUser().GetEmail(), "the primary address, not the one that is shown")
	require.Equal(t, "octocat", login.GetUser().GetDisplayName())

	again := h.begin(byProvider("github"))
	replayed := g.authorize(again.GetAuthorizationUrl())
	replayed.Set("code", parameters.Get("code"))
	_, err = h.finish(back(again, replayed))
	requireReason(t, "PROVIDER_REFUSED", err)

	renamed := h.begin(byProvider("github"))
	g.is(http.StatusOK, 583231, map[string]any{"email": "new@example.com", "primary": true, "verified": false})
	same, err := h.finish(back(renamed, g.authorize(renamed.GetAuthorizationUrl())))
	require.NoError(t, err)
	require.Equal(t, login.GetUser().GetId(), same.GetUser().GetId(), "the number is who it is")

	stranger := h.begin(byProvider("github"))
	g.is(http.StatusOK, 42, map[string]any{"email": "octocat@example.com", "primary": true, "verified": false})
	_, err = h.finish(back(stranger, g.authorize(stranger.GetAuthorizationUrl())))
	requireReason(t, "EMAIL_UNVERIFIED", err)

	broken := h.begin(byProvider("github"))
	g.is(http.StatusBadGateway, 583231, primary)
	_, err = h.finish(back(broken, g.authorize(broken.GetAuthorizationUrl())))
	requireReason(t, "PROVIDER_UNAVAILABLE", err)
	nobody := h.begin(byProvider("github"))
	g.is(http.StatusOK, 0, primary)
	_, err = h.finish(back(nobody, g.authorize(nobody.GetAuthorizationUrl())))
	requireReason(t, "PROVIDER_REFUSED", err)
}

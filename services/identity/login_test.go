package identity_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
)

func TestRefusedLoginsAreToldOf(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	user := h.signUp("ada@example.com")
	before := len(h.events())
	for _, email := range []string{"ada@example.com", "nobody@example.com", "nobody@example.com", "somebody@example.com"} {
		_, err := h.login(email, "not the password")
		require.Equal(t, "CREDENTIALS_INVALID", reasonOf(t, err))
	}
	events := h.events()[before:]
	require.Len(t, events, 4)
	known, ok := events[0].message.(*identityv1.LoginFailed)
	require.True(t, ok)
	require.Equal(t, user.GetId(), known.GetUserId())
	require.Equal(t, user.GetId(), events[0].key.String())
	require.Equal(t, "test-agent/1.0", known.GetUserAgent())
	unknown, ok := events[1].message.(*identityv1.LoginFailed)
	require.True(t, ok)
	require.Empty(t, unknown.GetUserId())
	require.Equal(t, events[1].key, events[2].key, "the same address, the same key")
	require.NotEqual(t, events[1].key, events[3].key)
	require.NotContains(t, events[1].attributes, "nobody@example.com")
}

func TestAccessTokenSaysNoMoreThanItMust(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	user := h.signUp("ada@example.com")
	parts := strings.Split(h.signIn("ada@example.com").GetAccessToken(), ".")
	require.Len(t, parts, 3)
	header, claims := decodePart(t, parts[0]), decodePart(t, parts[1])
	require.Equal(t, "at+jwt", header["typ"])
	require.Equal(t, "EdDSA", header["alg"])
	jwks, err := h.auth.GetJwks(t.Context(), &identityv1.GetJwksRequest{})
	require.NoError(t, err)
	require.Len(t, jwks.GetKeys(), 1)
	require.Equal(t, jwks.GetKeys()[0].GetKid(), header["kid"])
	require.Equal(t, user.GetId(), claims["sub"])
	require.EqualValues(t, h.clock.Now().Add(10*time.Minute).Unix(), claims["exp"])
	names := []string{}
	for name := range claims {
		names = append(names, name)
	}
	require.ElementsMatch(t, []string{"iss", "aud", "sub", "sid", "jti", "iat", "exp", "auth_time", "amr", "acr"}, names)
}

func decodePart(t *testing.T, part string) map[string]any {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(part)
	require.NoError(t, err)
	var decoded map[string]any
	require.NoError(t, json.Unmarshal(data, &decoded))
	return decoded
}

func TestValidateTellsOnlyOfGoodTokens(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	user := h.signUp("ada@example.com")
	token := h.signIn("ada@example.com").GetAccessToken()
	good, err := h.auth.Validate(t.Context(), &identityv1.ValidateRequest{AccessToken: token})
	require.NoError(t, err)
	require.True(t, good.GetActive())
	require.Equal(t, user.GetId(), good.GetUserId())
	require.NotEmpty(t, good.GetSessionId())
	require.Equal(t, h.clock.Now().Add(10*time.Minute), good.GetExpireTime().AsTime())

	parts := strings.Split(token, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`))
	for name, bad := range map[string]string{
		"nonsense":        "x",
		"cut":             token[:len(token)-4],
		"no signature":    parts[0] + "." + parts[1] + ".",
		"alg none":        none + "." + parts[1] + ".",
		"other signature": parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)),
	} {
		response, err := h.auth.Validate(t.Context(), &identityv1.ValidateRequest{AccessToken: bad})
		require.NoError(t, err, name)
		require.False(t, response.GetActive(), name)
		require.Empty(t, response.GetUserId(), name)
		require.Nil(t, response.GetExpireTime(), name)
	}

	// The session is gone from the database, though no event of it was heard.
	_, err = h.database.Admin.Exec(t.Context(), `delete from session`)
	require.NoError(t, err)
	require.False(t, h.active(token))

	second := h.signIn("ada@example.com").GetAccessToken()
	h.clock.Advance(10*time.Minute + time.Second)
	require.False(t, h.active(second), "an access token lives for ten minutes")
}

func TestLogoutEndsTheSessionAtOnce(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	response, other := h.signIn("ada@example.com"), h.signIn("ada@example.com")
	_, err := h.authAs(response.GetAccessToken()).Logout(t.Context(), &identityv1.LogoutRequest{})
	require.NoError(t, err)
	_, err = h.me(response.GetAccessToken()).GetMe(t.Context(), &identityv1.GetMeRequest{})
	require.Equal(t, "TOKEN_INVALID", reasonOf(t, err))
	_, err = h.refresh(response.GetRefreshToken())
	require.Equal(t, "REFRESH_TOKEN_INVALID", reasonOf(t, err))
	require.True(t, h.active(other.GetAccessToken()), "other sessions go on")
	events := h.events()
	last := events[len(events)-1]
	revoked, ok := last.message.(*identityv1.SessionRevoked)
	require.True(t, ok)
	require.Equal(t, identityv1.SessionRevoked_LOGOUT, revoked.GetReason())
	require.Equal(t, "session/"+revoked.GetSessionId(), last.subject)
}

func TestOlderHashParametersAreReplacedAtLogin(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	readHash := func() (hash string) {
		require.NoError(t, h.database.Admin.QueryRow(t.Context(), `select password_hash from credential`).Scan(&hash))
		return hash
	}
	before := readHash()
	config := testConfig()
	config.PasswordIterations = 2
	// Another process with a new configuration; its service keys differ, which nothing here needs.
	_, err := h.database.Admin.Exec(t.Context(), `delete from signing_key`)
	require.NoError(t, err)
	stronger := assemble(t, h.database, h.database.DB, config)
	_, err = stronger.login("ada@example.com", "not the password")
	require.Error(t, err)
	require.Equal(t, before, readHash(), "only the right password can be hashed again")
	stronger.signIn("ada@example.com")
	require.Contains(t, readHash(), "t=2")
	stronger.signIn("ada@example.com")
}

func TestManyProcessesMakeOneSigningKey(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	_, err := h.database.Admin.Exec(t.Context(), `delete from signing_key`)
	require.NoError(t, err)
	// All may look for a key and none may write one, until every one of them has come as far as it can.
	gate, err := h.database.Admin.Begin(t.Context())
	require.NoError(t, err)
	_, err = gate.Exec(t.Context(), `lock table signing_key in share mode`)
	require.NoError(t, err)
	done := make(chan error, 4)
	for range cap(done) {
		go func() {
			for _, part := range h.service.Parts {
				if part.Start != nil {
					done <- part.Start(t.Context())
				}
			}
		}()
	}
	require.Eventually(t, func() bool {
		return h.count(`select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`) == cap(done)
	}, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, gate.Commit(t.Context()))
	for range cap(done) {
		require.NoError(t, <-done)
	}
	require.Equal(t, 1, h.count(`select count(*) from signing_key`))
}

func TestForeignKeysDoNotOpenTheSigningKey(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	_, err := h.database.Admin.Exec(t.Context(), `update signing_key set sealed_private = sealed_private || '\x00'`)
	require.NoError(t, err)
	for _, part := range h.service.Parts {
		if part.Start != nil && part.Name != "identity.jobs" {
			require.ErrorContains(t, part.Start(t.Context()), "open signing key")
		}
	}
	require.Equal(t, 1, h.count(`select count(*) from signing_key`), "a key that can't be opened is not replaced")
}

func TestSessionStateForOtherServices(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	user := h.signUp("ada@example.com")
	login := h.signIn("ada@example.com")
	validated, err := h.auth.Validate(t.Context(), &identityv1.ValidateRequest{AccessToken: login.GetAccessToken()})
	require.NoError(t, err)
	ask := func(sessionID string) *identityv1.GetSessionStateResponse {
		response, err := h.directory.GetSessionState(t.Context(), &identityv1.GetSessionStateRequest{SessionId: sessionID})
		require.NoError(t, err)
		return response
	}
	state := ask(validated.GetSessionId())
	require.True(t, state.GetLive())
	require.Equal(t, user.GetId(), state.GetUserId())
	unknown := ask(id.New().String())
	require.False(t, unknown.GetLive())
	require.Empty(t, unknown.GetUserId())
	h.clock.Advance(30 * 24 * time.Hour)
	require.False(t, ask(validated.GetSessionId()).GetLive(), "a session ends when it idles for thirty days")
}

func TestDirectoryIsForServicesOnly(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	user := h.signUp("ada@example.com")
	found, err := h.directory.GetUser(t.Context(), &identityv1.GetUserRequest{UserId: user.GetId()})
	require.NoError(t, err)
	require.Equal(t, "ada@example.com", found.GetEmail())
	_, err = h.directory.GetUser(t.Context(), &identityv1.GetUserRequest{UserId: id.New().String()})
	require.Equal(t, "NOT_FOUND", reasonOf(t, err))
	_, err = h.directoryAs(h.signIn("ada@example.com").GetAccessToken()).GetUser(t.Context(), &identityv1.GetUserRequest{UserId: user.GetId()})
	require.Equal(t, "TOKEN_INVALID", reasonOf(t, err), "a user's token is no good for internal RPCs")
}

func TestDatabaseGoneIsUnavailable(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.database.DB.Close()
	_, err := h.login("ada@example.com", goodPassword)
	require.Equal(t, "UNAVAILABLE", reasonOf(t, err))
}

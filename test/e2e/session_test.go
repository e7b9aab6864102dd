package e2e_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/test/client"
)

// refusedWithin is what is promised for the end of a session or a membership, at every service.
const refusedWithin = time.Second

// reads are paths below which each service answers a member, one per service.
func reads(organization string) map[string]string {
	return map[string]string{
		"identity": "/api/v1/me", "organization": organization, "workflow": organization + "/projects",
		"notification": "/api/v1/me/notifications", "audit": organization + "/audit-events",
	}
}

// awaitRefused asks every service until it refuses. A request that began later than promised must not succeed.
func (s *suite) awaitRefused(t *testing.T, who *client.Person, paths map[string]string, ended time.Time, status int) {
	t.Helper()
	for service, path := range paths {
		s.await(t, func() error {
			began := time.Now()
			answer := s.do(t, who, http.MethodGet, path, nil)
			if answer.Status == http.StatusOK {
				require.Less(t, began.Sub(ended), refusedWithin, "%s still answers", service)
				return errStillAnswers
			}
			require.Equal(t, status, answer.Status, "%s: %s", service, answer.Raw)
			return nil
		})
	}
}

func testSession(t *testing.T, s *suite) {
	ada := s.signUp(t, "Ada")
	paths := reads(s.organization(t, ada, "Sessions"))
	readAll := func(t *testing.T, who *client.Person) {
		for _, path := range paths {
			s.get(t, who, path)
		}
	}
	t.Run("RefreshRotatesAndReuseRevokes", func(t *testing.T) {
		t.Parallel()
		who := s.again(t, ada)
		first := who.Refresh
		second := s.refresh(t, first)
		require.NotEqual(t, first, second.Text("refreshToken"))
		require.Equal(t, "Bearer", second.Text("tokenType"))
		// A client that lost the answer asks again and gets the same one.
		require.Equal(t, second.Text("refreshToken"), s.refresh(t, first).Text("refreshToken"))
		third := s.refresh(t, second.Text("refreshToken"))
		who.Token = third.Text("accessToken")
		readAll(t, who)
		// Now the new token was used: the first can only be a thief's.
		s.refused(t, http.StatusUnauthorized, "REFRESH_TOKEN_INVALID", nil, http.MethodPost, "/api/v1/auth/refresh", map[string]any{"refreshToken": first})
		ended := time.Now()
		s.refused(t, http.StatusUnauthorized, "REFRESH_TOKEN_INVALID", nil, http.MethodPost, "/api/v1/auth/refresh", map[string]any{"refreshToken": third.Text("refreshToken")})
		s.awaitRefused(t, who, paths, ended, http.StatusUnauthorized)
	})
	t.Run("LogoutIsAtOnce", func(t *testing.T) {
		t.Parallel()
		who := s.again(t, ada)
		readAll(t, who)
		s.must(t, who, http.MethodPost, "/api/v1/auth/logout", map[string]any{})
		ended := time.Now()
		s.refused(t, http.StatusUnauthorized, "TOKEN_INVALID", who, http.MethodGet, "/api/v1/me", nil)
		s.refused(t, http.StatusUnauthorized, "REFRESH_TOKEN_INVALID", nil, http.MethodPost, "/api/v1/auth/refresh", map[string]any{"refreshToken": who.Refresh})
		s.awaitRefused(t, who, paths, ended, http.StatusUnauthorized)
	})
	t.Run("AnotherDeviceEndsIt", func(t *testing.T) {
		t.Parallel()
		who := s.again(t, ada)
		readAll(t, who)
		validated := s.must(t, nil, http.MethodPost, "/api/v1/auth/validate", map[string]any{"accessToken": who.Token})
		require.Equal(t, true, validated.Value("active"))
		require.Equal(t, ada.ID, validated.Text("userId"))
		expires, err := time.Parse(time.RFC3339, validated.Text("expireTime"))
		require.NoError(t, err)
		require.WithinDuration(t, time.Now().Add(10*time.Minute), expires, time.Minute)
		s.must(t, ada, http.MethodDelete, "/api/v1/me/sessions/"+validated.Text("sessionId"), nil)
		ended := time.Now()
		validated = s.must(t, nil, http.MethodPost, "/api/v1/auth/validate", map[string]any{"accessToken": who.Token})
		require.Equal(t, map[string]any{"active": false, "userId": "", "sessionId": ""}, validated.Body)
		s.awaitRefused(t, who, paths, ended, http.StatusUnauthorized)
		s.get(t, ada, "/api/v1/me")
	})
	t.Run("CredentialsGiveNothingAway", func(t *testing.T) {
		t.Parallel()
		wrong := s.refused(t, http.StatusUnauthorized, "CREDENTIALS_INVALID", nil, http.MethodPost, "/api/v1/auth/login", map[string]any{"email": ada.Email, "password": "not the password"}, client.WithHeader("X-Correlation-Id", "same"))
		nobody := s.refused(t, http.StatusUnauthorized, "CREDENTIALS_INVALID", nil, http.MethodPost, "/api/v1/auth/login", map[string]any{"email": client.NewPerson("Nobody").Email, "password": "not the password"}, client.WithHeader("X-Correlation-Id", "same"))
		require.Equal(t, string(nobody.Raw), string(wrong.Raw))
		known := s.must(t, nil, http.MethodPost, "/api/v1/auth/register", map[string]any{"email": ada.Email, "password": "another long password", "displayName": "Thief"})
		require.JSONEq(t, "{}", string(known.Raw))
		require.NoError(t, s.Login(t.Context(), new(*ada)))
		require.Equal(t, "Ada", s.get(t, ada, "/api/v1/me").Text("displayName"))
	})
	t.Run("BadTokens", func(t *testing.T) {
		t.Parallel()
		for name, token := range forge(t, ada.Token) {
			t.Run(name, func(t *testing.T) {
				forged := *ada
				forged.Token = token
				for _, path := range paths {
					answer := s.refused(t, http.StatusUnauthorized, "TOKEN_INVALID", &forged, http.MethodGet, path, nil)
					require.NotEmpty(t, answer.Header.Get("WWW-Authenticate"))
				}
				validated := s.must(t, nil, http.MethodPost, "/api/v1/auth/validate", map[string]any{"accessToken": token})
				require.Equal(t, false, validated.Value("active"))
			})
		}
		s.refused(t, http.StatusUnauthorized, "TOKEN_MISSING", nil, http.MethodGet, "/api/v1/me", nil)
	})
}

func (s *suite) refresh(t *testing.T, token string) client.Answer {
	t.Helper()
	return s.must(t, nil, http.MethodPost, "/api/v1/auth/refresh", map[string]any{"refreshToken": token})
}

// forge makes tokens that look like a good one and must not be taken for it.
func forge(t *testing.T, good string) map[string]string {
	parts := strings.Split(good, ".")
	require.Len(t, parts, 3)
	_, otherKey, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	none := encode([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1]
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var claims map[string]any
	require.NoError(t, json.Unmarshal(payload, &claims))
	claims["exp"] = time.Now().Add(1000 * time.Hour).Unix()
	longer, err := json.Marshal(claims)
	require.NoError(t, err)
	signed := parts[0] + "." + parts[1]
	return map[string]string{
		"no JWT": "not-a-token", "alg none": none + ".", "alg none with signature": none + "." + parts[2],
		"other key": signed + "." + encode(ed25519.Sign(otherKey, []byte(signed))),
		"changed":   parts[0] + "." + encode(longer) + "." + parts[2], "cut": good[:len(good)-4], "no signature": signed + ".",
	}
}

package identity_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
)

// A token is mailed for one thing. For every other it is as good as a made-up one, and is not used up by the attempt.
func TestWhatIsMailedForOneThingIsNoGoodForAnother(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	session := h.signIn("ada@example.com")
	change := h.changeEmail(session.GetAccessToken(), "lovelace@example.com").GetToken()
	reset := h.forgot("ada@example.com").GetToken()
	registration := h.mail(h.register("ben@example.com", goodPassword))

	for name, token := range map[string]string{
		"registration": registration.GetToken(), "code": registration.GetCode(), "address": change,
		"session": session.GetAccessToken(), "refresh": session.GetRefreshToken(),
	} {
		require.Error(t, h.reset(token, otherPassword), "%s as a reset", name)
	}
	for name, token := range map[string]string{"reset": reset, "session": session.GetAccessToken(), "refresh": session.GetRefreshToken(), "code": registration.GetCode()} {
		_, err := h.verifyToken(token)
		require.Error(t, err, "%s as the proof of an address", name)
	}
	for name, token := range map[string]string{"registration": registration.GetToken(), "address": change, "reset": reset, "session": session.GetAccessToken()} {
		_, err := h.refresh(token)
		require.Error(t, err, "%s as a refresh token", name)
		require.False(t, token != session.GetAccessToken() && h.active(token), "%s as an access token", name)
		_, err = h.answer(token, "000000")
		require.Error(t, err, "%s as a challenge", name)
	}
	require.False(t, h.active(session.GetRefreshToken()))
	require.True(t, h.active(session.GetAccessToken()), "nothing of that ended anything")

	_, err := h.verifyToken(registration.GetToken())
	require.NoError(t, err)
	require.NoError(t, h.reset(reset, otherPassword))
}

// What was good once is never good again, whatever happened in between.
func TestMailedTokensAreNotReplayedAfterTheNextOne(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	first := h.forgot("ada@example.com").GetToken()
	require.NoError(t, h.reset(first, otherPassword))
	h.clock.Advance(time.Minute)
	second := h.forgot("ada@example.com").GetToken()
	require.NotEqual(t, first, second)
	require.Equal(t, "CODE_INVALID", reasonOf(t, h.reset(first, goodPassword)), "the first stays used while another waits")
	require.NoError(t, h.reset(second, goodPassword))

	session := h.signIn("ada@example.com").GetAccessToken()
	away := h.changeEmail(session, "lovelace@example.com").GetToken()
	_, err := h.verifyToken(away)
	require.NoError(t, err)
	back := h.changeEmail(h.signIn("lovelace@example.com").GetAccessToken(), "ada@example.com").GetToken()
	_, err = h.verifyToken(back)
	require.NoError(t, err)
	for name, token := range map[string]string{"away": away, "back": back} {
		_, err := h.verifyToken(token)
		require.Equal(t, "CODE_INVALID", reasonOf(t, err), name)
	}
	h.signIn("ada@example.com")
}

// Who gets somebody to sign in with tokens that are in a stranger's hands already must not be in their session afterwards.
func TestALoginIsNeverTheSessionThatWasHandedIn(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("eve@example.com")
	ada := h.signUp("ada@example.com")
	planted := h.signIn("eve@example.com")
	login, err := h.authAs(planted.GetAccessToken()).Login(t.Context(), &identityv1.LoginRequest{Email: "ada@example.com", Password: goodPassword})
	require.NoError(t, err)
	require.Equal(t, ada.GetId(), login.GetUser().GetId())
	require.NotEqual(t, planted.GetAccessToken(), login.GetAccessToken())
	require.NotEqual(t, planted.GetRefreshToken(), login.GetRefreshToken())
	for name, accessToken := range map[string]string{"eve@example.com": planted.GetAccessToken(), "ada@example.com": login.GetAccessToken()} {
		me, err := h.me(accessToken).GetMe(t.Context(), &identityv1.GetMeRequest{})
		require.NoError(t, err)
		require.Equal(t, name, me.GetEmail(), "each is in their own")
	}
	again := h.signIn("ada@example.com")
	require.NotEqual(t, login.GetRefreshToken(), again.GetRefreshToken(), "and each login is a session of its own")
	require.Equal(t, 3, h.count(`select count(*) from session`))

	for _, body := range []string{
		`{"email":"ada@example.com","password":"` + goodPassword + `","sessionId":"019aa000-0000-7000-8000-000000000001"}`,
		`{"email":"ada@example.com","password":"` + goodPassword + `","refreshToken":"` + planted.GetRefreshToken() + `"}`,
	} {
		status, refused := h.rest(http.MethodPost, "/api/v1/auth/login", "", body)
		require.Equal(t, http.StatusBadRequest, status, "%v", refused)
	}
}

// What the server writes into an account is nobody's to write, in a registration as in a change.
func TestNobodyWritesWhatTheServerWritesIntoAnAccount(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for field, value := range map[string]string{
		"emailVerified": "true", "id": `"019aa000-0000-7000-8000-000000000001"`, "user": `{"id":"x"}`, "createTime": `"2020-01-01T00:00:00Z"`,
		"roles": `["owner"]`, "organizationId": `"x"`, "passwordHash": `"x"`, "code": `"000000"`,
	} {
		status, refused := h.rest(http.MethodPost, "/api/v1/auth/register", "",
			`{"email":"ada@example.com","password":"`+goodPassword+`","displayName":"Ada","`+field+`":`+value+`}`)
		require.Equal(t, http.StatusBadRequest, status, "%s: %v", field, refused)
		require.Contains(t, mustJSON(t, refused), `"field":"`+field+`"`)
	}
	require.Zero(t, h.count(`select count(*) from registration`))

	h.signUp("ada@example.com")
	token := h.signIn("ada@example.com").GetAccessToken()
	_, before := h.rest(http.MethodGet, "/api/v1/me", token, "")
	forged, err := json.Marshal(map[string]any{
		"displayName": "Eve", "id": "019aa000-0000-7000-8000-000000000001", "createTime": "2020-01-01T00:00:00Z", "updateTime": "2020-01-01T00:00:00Z",
	})
	require.NoError(t, err)
	status, after := h.rest(http.MethodPatch, "/api/v1/me", token, string(forged))
	require.Equal(t, http.StatusOK, status, "what was read may be sent back: %v", after)
	require.Equal(t, "Eve", after["displayName"])
	for _, field := range []string{"id", "createTime", "email"} {
		require.Equal(t, before[field], after[field], field)
	}
	require.NotEqual(t, "2020-01-01T00:00:00Z", after["updateTime"])
}

// A name or an address that goes into a mail's header is one line. What would be more is refused where it comes in.
func TestNoLineBreakGetsIntoAName(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	register := func(email, name string) int {
		body, err := json.Marshal(map[string]string{"email": email, "password": goodPassword, "displayName": name})
		require.NoError(t, err)
		status, _ := h.rest(http.MethodPost, "/api/v1/auth/register", "", string(body))
		return status
	}
	for _, email := range []string{
		"ada@example.com\r\nBcc: eve@example.com", "ada@example.com\nSubject: x", "ada@example.com\x00", "ada@example.com, eve@example.com",
		"Ada <ada@example.com>", "ada@example.com>\r\nRCPT TO:<eve@example.com", "ada@example.com\u2028x", "\"ada\r\n\"@example.com", "ada@example.com%0aBcc:x",
	} {
		require.Equal(t, http.StatusBadRequest, register(email, "Ada"), "%q", email)
	}
	require.Zero(t, h.count(`select count(*) from registration`), "and nobody is mailed")
}

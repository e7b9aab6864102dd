package identity_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/structpb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
)

// stale returns an access token of a session whose login is too long ago for a change of factors.
func (h *harness) stale(email string) *identityv1.RefreshResponse {
	h.t.Helper()
	login := h.signIn(email)
	h.clock.Advance(9 * time.Minute)
	refreshed, err := h.refresh(login.GetRefreshToken())
	require.NoError(h.t, err)
	h.clock.Advance(61 * time.Second)
	return refreshed
}

func (h *harness) createTotp(accessToken string) error {
	_, err := h.factors(accessToken).CreateTotpFactor(h.t.Context(), &identityv1.CreateTotpFactorRequest{})
	return err
}

func (h *harness) stepUpByPassword(accessToken, password string) (*identityv1.StepUpResponse, error) {
	return h.logins(accessToken).StepUp(h.t.Context(), &identityv1.StepUpRequest{Password: password})
}

func (h *harness) stepUpByCode(accessToken, code string) (*identityv1.StepUpResponse, error) {
	return h.logins(accessToken).StepUp(h.t.Context(), &identityv1.StepUpRequest{Code: code})
}

func TestAnOldLoginIsRaisedByThePassword(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	session := h.stale("ada@example.com")
	err := h.createTotp(session.GetAccessToken())
	require.Equal(t, "STEP_UP_REQUIRED", reasonOf(t, err))
	require.Equal(t, map[string]string{"maxAge": "600", "acr": "urn:braid:acr:strong"}, factsOf(t, err))
	_, err = h.me(session.GetAccessToken()).GetMe(t.Context(), &identityv1.GetMeRequest{})
	require.NoError(t, err, "everything else goes on")

	_, err = h.stepUpByPassword(session.GetAccessToken(), "not the password")
	require.Equal(t, "CREDENTIALS_INVALID", reasonOf(t, err))
	before := len(h.events())
	raised, err := h.stepUpByPassword(session.GetAccessToken(), goodPassword)
	require.NoError(t, err)
	require.Equal(t, []string{"identity.session.raised"}, h.typesSince(before))
	require.Equal(t, claimsOf(t, session.GetAccessToken())["sid"], claimsOf(t, raised.GetAccessToken())["sid"], "it is the same session")
	require.EqualValues(t, h.clock.Now().Unix(), claimsOf(t, raised.GetAccessToken())["auth_time"])
	require.NoError(t, h.createTotp(raised.GetAccessToken()))
	require.Equal(t, "STEP_UP_REQUIRED", reasonOf(t, h.createTotp(session.GetAccessToken())), "the old token says what it said")
	refreshed, err := h.refresh(session.GetRefreshToken())
	require.NoError(t, err)
	require.NoError(t, h.createTotp(refreshed.GetAccessToken()), "the session itself was raised")
}

// The challenge of RFC 9470 comes over every protocol.
func TestStepUpSaysWhatToDoInTheHeader(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	token := h.stale("ada@example.com").GetAccessToken()
	const wanted = `Bearer realm="braid", error="insufficient_user_authentication", ` +
		`error_description="A more recent or stronger login is needed", max_age="600", acr_values="urn:braid:acr:strong"`
	var refused *connect.Error
	require.ErrorAs(t, h.createTotp(token), &refused)
	require.Equal(t, connect.CodeUnauthenticated, refused.Code())
	require.Equal(t, wanted, refused.Meta().Get("WWW-Authenticate"))

	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+"/api/v1/me/factors/totp", strings.NewReader(`{}`))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := h.client.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusUnauthorized, response.StatusCode)
	require.Equal(t, wanted, response.Header.Get("WWW-Authenticate"))
}

func TestWhoHasAFactorIsRaisedByIt(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	other := h.signIn("ada@example.com")
	phone, codes := h.secure(h.signIn("ada@example.com").GetAccessToken())
	refreshed, err := h.refresh(other.GetRefreshToken())
	require.NoError(t, err)
	token := refreshed.GetAccessToken()
	require.Equal(t, "STEP_UP_REQUIRED", reasonOf(t, h.createTotp(token)), "the login was recent, and weaker than Ada can")

	_, err = h.stepUpByPassword(token, goodPassword)
	require.Equal(t, "FACTOR_REQUIRED", reasonOf(t, err))
	require.Equal(t, map[string]string{"factors": "totp,backup_code"}, factsOf(t, err))
	_, err = h.stepUpByCode(token, otherCode(phone.code(0)))
	require.Equal(t, "CODE_INVALID", reasonOf(t, err))
	raised, err := h.stepUpByCode(token, phone.code(0))
	require.NoError(t, err)
	require.Equal(t, []any{"mfa", "otp", "pwd"}, claimsOf(t, raised.GetAccessToken())["amr"])
	require.NoError(t, h.createTotp(raised.GetAccessToken()))
	_, err = h.stepUpByCode(token, phone.code(0))
	require.Equal(t, "CODE_INVALID", reasonOf(t, err), "a code raises once, too")
	_, err = h.stepUpByCode(token, codes[3])
	require.NoError(t, err)
}

// Whoever has found an open session must not find the password by it.
func TestTriesToRaiseASessionAreBounded(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	token := h.signIn("ada@example.com").GetAccessToken()
	before := len(h.events())
	for range 5 {
		_, err := h.stepUpByPassword(token, "not the password")
		require.Equal(t, "CREDENTIALS_INVALID", reasonOf(t, err))
	}
	require.Len(t, h.typesSince(before), 5)
	_, err := h.stepUpByPassword(token, goodPassword)
	require.Equal(t, "ACCOUNT_LOCKED", reasonOf(t, err))
	_, err = h.tryFrom("192.0.2.1", "ada@example.com", goodPassword, "")
	require.NoError(t, err, "Ada is not locked out elsewhere")
}

func TestAnEndedSessionIsNotRaised(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	token := h.signIn("ada@example.com").GetAccessToken()
	_, err := h.database.Admin.Exec(t.Context(), `delete from session`)
	require.NoError(t, err)
	_, err = h.stepUpByPassword(token, goodPassword)
	require.Equal(t, "NOT_FOUND", reasonOf(t, err))
}

func TestASessionIsRaisedByExactlyOneProof(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	token := h.signIn("ada@example.com").GetAccessToken()
	for fields, request := range map[string]*identityv1.StepUpRequest{
		"[code credential password]": {}, "[code password]": {Password: goodPassword, Code: "123456"},
		"[code credential]": {Code: "123456", Credential: &structpb.Struct{}},
	} {
		_, err := h.logins(token).StepUp(t.Context(), request)
		require.Equal(t, "INVALID_ARGUMENT", reasonOf(t, err))
		require.Equal(t, fields, fmt.Sprint(fieldsOf(t, err)))
	}
}

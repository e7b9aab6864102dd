package identity_test

import (
	"encoding/base32"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	"github.com/braidhq/braid/services/identity/internal/app"
	"github.com/braidhq/braid/services/identity/internal/totp"
)

func (h *harness) factors(accessToken string) identityv1connect.FactorServiceClient {
	return identityv1connect.NewFactorServiceClient(h.as(accessToken), h.url)
}

func (h *harness) logins(accessToken string) identityv1connect.LoginServiceClient {
	return identityv1connect.NewLoginServiceClient(h.as(accessToken), h.url)
}

// authenticatorApp is one on a phone that runs by the clock of the test.
type authenticatorApp struct {
	h        *harness
	factorID string
	secret   []byte
}

// code is what the app shows, some steps from now.
func (a authenticatorApp) code(off int64) string {
	return totp.Code(a.secret, totp.Step(a.h.clock.Now())+off)
}

func (h *harness) newApp(accessToken string) authenticatorApp {
	h.t.Helper()
	made, err := h.factors(accessToken).CreateTotpFactor(h.t.Context(), &identityv1.CreateTotpFactorRequest{Name: "Phone"})
	require.NoError(h.t, err)
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(made.GetSecret())
	require.NoError(h.t, err)
	return authenticatorApp{h, made.GetId(), secret}
}

// secure gives the owner of a session an authenticator app, and moves on to its next code.
func (h *harness) secure(accessToken string) (authenticatorApp, []string) {
	h.t.Helper()
	made := h.newApp(accessToken)
	confirmed, err := h.factors(accessToken).ConfirmFactor(h.t.Context(), &identityv1.ConfirmFactorRequest{FactorId: made.factorID, Code: made.code(0)})
	require.NoError(h.t, err)
	h.clock.Advance(30 * time.Second)
	return made, confirmed.GetBackupCodes()
}

// challenge logs in with the password and returns the token for the second step.
func (h *harness) challenge(email string) string {
	h.t.Helper()
	_, err := h.login(email, goodPassword)
	require.Equal(h.t, "FACTOR_REQUIRED", reasonOf(h.t, err))
	require.Equal(h.t, connect.CodeUnauthenticated, connect.CodeOf(err))
	return factsOf(h.t, err)["challengeToken"]
}

func (h *harness) answer(challengeToken, code string) (*identityv1.LoginResponse, error) {
	return h.logins("").LoginWithFactor(h.t.Context(), &identityv1.LoginWithFactorRequest{ChallengeToken: challengeToken, Code: code})
}

// factsOf returns the public facts that an error carries.
func factsOf(t *testing.T, err error) map[string]string {
	t.Helper()
	var refused *connect.Error
	require.ErrorAs(t, err, &refused)
	for _, detail := range refused.Details() {
		value, err := detail.Value()
		require.NoError(t, err)
		if info, ok := value.(*errdetails.ErrorInfo); ok {
			return info.GetMetadata()
		}
	}
	return nil
}

func claimsOf(t *testing.T, accessToken string) map[string]any {
	t.Helper()
	return decodePart(t, strings.Split(accessToken, ".")[1])
}

func (h *harness) typesSince(before int) (types []string) {
	for _, event := range h.events()[before:] {
		types = append(types, event.eventType)
	}
	return types
}

func TestTokensSayHowAndWhenSomebodyLoggedIn(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	began := h.clock.Now()
	login := h.signIn("ada@example.com")
	claims := claimsOf(t, login.GetAccessToken())
	require.Equal(t, []any{"pwd"}, claims["amr"])
	require.EqualValues(t, began.Unix(), claims["auth_time"])
	require.Equal(t, "urn:braid:acr:strong", claims["acr"], "it is all that Ada has")

	h.clock.Advance(9 * time.Minute)
	refreshed, err := h.refresh(login.GetRefreshToken())
	require.NoError(t, err)
	claims = claimsOf(t, refreshed.GetAccessToken())
	require.EqualValues(t, began.Unix(), claims["auth_time"], "a refresh proves nothing")
	require.Equal(t, []any{"pwd"}, claims["amr"])

	phone, _ := h.secure(h.signIn("ada@example.com").GetAccessToken())
	refreshed, err = h.refresh(refreshed.GetRefreshToken())
	require.NoError(t, err)
	require.NotContains(t, claimsOf(t, refreshed.GetAccessToken()), "acr", "Ada has more by now than this session has shown")
	second, err := h.answer(h.challenge("ada@example.com"), phone.code(0))
	require.NoError(t, err)
	claims = claimsOf(t, second.GetAccessToken())
	require.Equal(t, []any{"mfa", "otp", "pwd"}, claims["amr"])
	require.Equal(t, "urn:braid:acr:strong", claims["acr"])
}

// A session of the version before says nothing of how it began: it counts as one with a password, at its beginning.
func TestSessionsFromBeforeCountAsBegunWithAPassword(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	user := h.signUp("ada@example.com")
	_, err := h.database.Admin.Exec(t.Context(), `insert into session (id, account_id, user_agent, client_address, created_at, last_used_at, expires_at)
values (gen_random_uuid(), $1, '', '', now(), now(), now())`, user.GetId())
	require.NoError(t, err, "the version before still writes such rows")
	require.Equal(t, 1, h.count(`select count(*) from session where methods = '{pwd}' and authenticated_at = created_at`))
}

func TestAuthenticatorAppBecomesASecondFactor(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	user := h.signUp("ada@example.com")
	token := h.signIn("ada@example.com").GetAccessToken()
	made, err := h.factors(token).CreateTotpFactor(t.Context(), &identityv1.CreateTotpFactorRequest{})
	require.NoError(t, err)
	uri, err := url.Parse(made.GetOtpauthUri())
	require.NoError(t, err)
	require.Equal(t, made.GetSecret(), uri.Query().Get("secret"))
	require.Contains(t, made.GetOtpauthUri(), "otpauth://totp/Braid:ada@example.com?")

	phone := h.newApp(token)
	require.Equal(t, 1, h.count(`select count(*) from factor`), "another try takes the place of one that waits")
	require.Zero(t, h.count(`select count(*) from factor where position($1::bytea in sealed_secret) > 0`, phone.secret))
	h.signIn("ada@example.com") // Nothing is asked for yet.
	confirm := func(code string) (*identityv1.ConfirmFactorResponse, error) {
		return h.factors(token).ConfirmFactor(t.Context(), &identityv1.ConfirmFactorRequest{FactorId: phone.factorID, Code: code})
	}
	_, err = confirm(otherCode(phone.code(0)))
	require.Equal(t, "CODE_INVALID", reasonOf(t, err))
	before := len(h.events())
	confirmed, err := confirm(phone.code(0))
	require.NoError(t, err)
	require.Len(t, confirmed.GetBackupCodes(), 10)
	require.True(t, confirmed.GetFactor().GetConfirmed())
	require.Equal(t, identityv1.Factor_TOTP, confirmed.GetFactor().GetKind())
	require.Equal(t, []string{"identity.session.raised", "identity.factor.added"}, h.typesSince(before))
	_, err = confirm(phone.code(0))
	require.Equal(t, "FACTOR_CONFIRMED", reasonOf(t, err))

	_, err = h.login("ada@example.com", "not the password")
	require.Equal(t, "CREDENTIALS_INVALID", reasonOf(t, err), "only who knows the password learns that there is more")
	_, err = h.login("ada@example.com", goodPassword)
	require.Equal(t, "totp,backup_code", factsOf(t, err)["factors"])
	challenge := h.challenge("ada@example.com")
	_, err = h.answer(challenge, phone.code(0))
	require.Equal(t, "CODE_INVALID", reasonOf(t, err), "the code that confirmed was used")
	before = len(h.events())
	login, err := h.answer(challenge, phone.code(1))
	require.NoError(t, err)
	require.Equal(t, user.GetId(), login.GetUser().GetId())
	require.True(t, h.active(login.GetAccessToken()))
	succeeded, ok := h.events()[before].message.(*identityv1.LoginSucceeded)
	require.True(t, ok)
	require.Equal(t, []string{"mfa", "otp", "pwd"}, succeeded.GetMethods())
	_, err = h.answer(challenge, phone.code(1))
	require.Equal(t, "CHALLENGE_EXPIRED", reasonOf(t, err), "a challenge is answered once")
	_, err = h.answer(h.challenge("ada@example.com"), phone.code(0))
	require.Equal(t, "CODE_INVALID", reasonOf(t, err), "an older step than the last is no good any more")

	listed, err := h.factors(token).ListFactors(t.Context(), &identityv1.ListFactorsRequest{})
	require.NoError(t, err)
	require.Len(t, listed.GetFactors(), 1)
	require.EqualValues(t, 10, listed.GetBackupCodesLeft())
	require.Equal(t, h.clock.Now(), listed.GetFactors()[0].GetLastUseTime().AsTime())
}

func TestTheFirstCodeMustComeInTime(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	token := h.signIn("ada@example.com")
	phone := h.newApp(token.GetAccessToken())
	h.clock.Advance(15 * time.Minute)
	refreshed, err := h.refresh(token.GetRefreshToken())
	require.NoError(t, err)
	_, err = h.factors(refreshed.GetAccessToken()).ConfirmFactor(t.Context(), &identityv1.ConfirmFactorRequest{FactorId: phone.factorID, Code: phone.code(0)})
	require.Equal(t, "NOT_FOUND", reasonOf(t, err))
}

func TestBackupCodesGetInOnce(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	token := h.signIn("ada@example.com").GetAccessToken()
	_, codes := h.secure(token)
	before := len(h.events())
	_, err := h.answer(h.challenge("ada@example.com"), codes[0])
	require.NoError(t, err)
	used, ok := h.events()[before].message.(*identityv1.BackupCodeUsed)
	require.True(t, ok)
	require.EqualValues(t, 9, used.GetLeft())
	_, err = h.answer(h.challenge("ada@example.com"), codes[0])
	require.Equal(t, "CODE_INVALID", reasonOf(t, err))
	_, err = h.answer(h.challenge("ada@example.com"), strings.ToUpper(strings.ReplaceAll(codes[1], "-", " ")))
	require.NoError(t, err, "however it is typed")
	for _, code := range codes {
		require.Zero(t, h.count(`select count(*) from backup_code where position(convert_to($1, 'UTF8') in hash) > 0`, code))
	}

	regenerated, err := h.factors(token).RegenerateBackupCodes(t.Context(), &identityv1.RegenerateBackupCodesRequest{})
	require.NoError(t, err)
	require.Len(t, regenerated.GetBackupCodes(), 10)
	_, err = h.answer(h.challenge("ada@example.com"), codes[2])
	require.Equal(t, "CODE_INVALID", reasonOf(t, err))
	_, err = h.answer(h.challenge("ada@example.com"), regenerated.GetBackupCodes()[9])
	require.NoError(t, err)
	require.NotContains(t, h.logs.String(), codes[0])
}

func TestBackupCodesNeedAFactor(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	_, err := h.factors(h.signIn("ada@example.com").GetAccessToken()).RegenerateBackupCodes(t.Context(), &identityv1.RegenerateBackupCodesRequest{})
	require.Equal(t, "FACTOR_MISSING", reasonOf(t, err))
}

func TestAChallengeIsForFiveMinutesFiveTriesAndOneClient(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	phone, _ := h.secure(h.signIn("ada@example.com").GetAccessToken())

	late := h.challenge("ada@example.com")
	h.clock.Advance(5 * time.Minute)
	_, err := h.answer(late, phone.code(0))
	require.Equal(t, "CHALLENGE_EXPIRED", reasonOf(t, err))

	tried := h.challenge("ada@example.com")
	before := len(h.events())
	for range 5 {
		_, err := h.answer(tried, otherCode(phone.code(0)))
		require.Equal(t, "CODE_INVALID", reasonOf(t, err))
	}
	require.Equal(t, []string{
		"identity.factor.refused", "identity.factor.refused", "identity.factor.refused", "identity.factor.refused", "identity.factor.refused",
	}, h.typesSince(before))
	_, err = h.answer(tried, phone.code(0))
	require.Equal(t, "CHALLENGE_EXPIRED", reasonOf(t, err))

	stolen := h.challenge("ada@example.com")
	elsewhere := identityv1connect.NewLoginServiceClient(h.client, h.url) // Another User-Agent.
	_, err = elsewhere.LoginWithFactor(t.Context(), &identityv1.LoginWithFactorRequest{ChallengeToken: stolen, Code: phone.code(0)})
	require.Equal(t, "CHALLENGE_EXPIRED", reasonOf(t, err))
	_, err = h.answer(stolen, phone.code(0))
	require.NoError(t, err)
	_, err = h.answer("no-such-token", phone.code(0))
	require.Equal(t, "CHALLENGE_EXPIRED", reasonOf(t, err))
	require.Zero(t, h.count(`select count(*) from challenge where hash = $1`, []byte(stolen)), "only hashes are kept")
}

func TestCodesCanNotBeGuessedOverManyChallenges(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	phone, codes := h.secure(h.signIn("ada@example.com").GetAccessToken())
	for range 10 {
		_, err := h.answer(h.challenge("ada@example.com"), otherCode(phone.code(0)))
		require.Equal(t, "CODE_INVALID", reasonOf(t, err))
	}
	_, err := h.answer(h.challenge("ada@example.com"), phone.code(0))
	require.Equal(t, "FACTOR_LOCKED", reasonOf(t, err))
	var refused *connect.Error
	require.True(t, errors.As(err, &refused))
	require.Equal(t, "900", refused.Meta().Get("Retry-After"))
	_, err = h.answer(h.challenge("ada@example.com"), codes[0])
	require.Equal(t, "FACTOR_LOCKED", reasonOf(t, err))
	h.clock.Advance(15 * time.Minute)
	_, err = h.answer(h.challenge("ada@example.com"), phone.code(0))
	require.NoError(t, err)
	require.Zero(t, h.count(`select count(*) from proof_budget`), "who gets in has the whole budget again")
}

func TestFactorsAreRenamedAndRemovedByTheirOwner(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	h.signUp("bob@example.com")
	token := h.signIn("ada@example.com").GetAccessToken()
	phone, _ := h.secure(token)
	stranger := h.factors(h.signIn("bob@example.com").GetAccessToken())
	rename := &identityv1.UpdateFactorRequest{FactorId: phone.factorID, Factor: &identityv1.Factor{Name: " Old phone "}}
	_, err := stranger.UpdateFactor(t.Context(), rename)
	require.Equal(t, "NOT_FOUND", reasonOf(t, err))
	_, err = stranger.DeleteFactor(t.Context(), &identityv1.DeleteFactorRequest{FactorId: phone.factorID})
	require.Equal(t, "NOT_FOUND", reasonOf(t, err))
	_, err = stranger.ConfirmFactor(t.Context(), &identityv1.ConfirmFactorRequest{FactorId: phone.factorID, Code: phone.code(0)})
	require.Equal(t, "NOT_FOUND", reasonOf(t, err))

	before := len(h.events())
	renamed, err := h.factors(token).UpdateFactor(t.Context(), rename)
	require.NoError(t, err)
	require.Equal(t, "Old phone", renamed.GetName())
	_, err = h.factors(token).DeleteFactor(t.Context(), &identityv1.DeleteFactorRequest{FactorId: phone.factorID})
	require.NoError(t, err)
	require.Equal(t, []string{"identity.factor.updated", "identity.factor.removed"}, h.typesSince(before))
	require.Zero(t, h.count(`select count(*) from backup_code`))
	h.signIn("ada@example.com") // The password is enough again.
}

func TestOtherServicesLearnWhoHasASecondFactor(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, bob := h.signUp("ada@example.com"), h.signUp("bob@example.com")
	h.secure(h.signIn("ada@example.com").GetAccessToken())
	h.newApp(h.signIn("bob@example.com").GetAccessToken())
	client := identityv1connect.NewUserSecurityServiceClient(h.asService(), h.url)
	answer, err := client.GetUserSecurity(t.Context(), &identityv1.GetUserSecurityRequest{UserIds: []string{ada.GetId(), bob.GetId()}})
	require.NoError(t, err)
	require.Equal(t, []string{ada.GetId()}, answer.GetSecuredUserIds(), "a factor that waits for its first code is none")
}

func TestWhatIsOverIsCleanedUp(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	login := h.signIn("ada@example.com")
	h.secure(login.GetAccessToken())
	h.challenge("ada@example.com")
	h.newApp(login.GetAccessToken())
	cleanup := app.NewCleanup(&app.App{DB: h.database.DB, Clock: h.clock}, prometheus.NewRegistry())
	require.NoError(t, cleanup.Once(t.Context()))
	require.Equal(t, 1, h.count(`select count(*) from challenge`))
	require.Equal(t, 2, h.count(`select count(*) from factor`))
	h.clock.Advance(16 * time.Minute)
	require.NoError(t, cleanup.Once(t.Context()))
	require.Zero(t, h.count(`select count(*) from challenge`))
	require.Equal(t, 1, h.count(`select count(*) from factor`))
}

// A second factor that is gone counts for nothing: from its next token on, the session has shown none.
func TestWithoutAFactorNoSessionHasShownOne(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	session := h.signIn("ada@example.com")
	h.secure(session.GetAccessToken())
	require.Equal(t, 1, h.count(`select count(*) from session where 'mfa' = any (methods)`))
	refreshed, err := h.refresh(session.GetRefreshToken())
	require.NoError(t, err)
	listed, err := h.factors(refreshed.GetAccessToken()).ListFactors(t.Context(), &identityv1.ListFactorsRequest{})
	require.NoError(t, err)
	_, err = h.factors(refreshed.GetAccessToken()).DeleteFactor(t.Context(), &identityv1.DeleteFactorRequest{FactorId: listed.GetFactors()[0].GetId()})
	require.NoError(t, err)
	require.Zero(t, h.count(`select count(*) from session where 'mfa' = any (methods)`))
}

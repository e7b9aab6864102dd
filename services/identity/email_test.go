package identity_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	"github.com/braidhq/braid/services/identity/internal/app"
)

func (h *harness) emails(accessToken string) identityv1connect.EmailServiceClient {
	return identityv1connect.NewEmailServiceClient(h.as(accessToken), h.url)
}

func (h *harness) verifyToken(token string) (*identityv1.User, error) {
	response, err := h.auth.VerifyEmail(h.t.Context(), &identityv1.VerifyEmailRequest{Token: token})
	return response.GetUser(), err
}

func (h *harness) resend(email string) *identityv1.GetRegistrationMailResponse {
	h.t.Helper()
	_, err := h.emails("").ResendVerification(h.t.Context(), &identityv1.ResendVerificationRequest{Email: email})
	require.NoError(h.t, err)
	return h.mail(lastEvent[*identityv1.RegistrationRequested](h).GetRegistrationId())
}

func (h *harness) changeEmail(accessToken, email string) *identityv1.GetEmailChangeMailResponse {
	h.t.Helper()
	_, err := h.emails(accessToken).ChangeEmail(h.t.Context(), &identityv1.ChangeEmailRequest{NewEmail: email})
	require.NoError(h.t, err)
	return h.changeMail(lastEvent[*identityv1.EmailChangeRequested](h).GetChangeId())
}

func (h *harness) changeMail(changeID string) *identityv1.GetEmailChangeMailResponse {
	h.t.Helper()
	mail, err := h.accountMails().GetEmailChangeMail(h.t.Context(), &identityv1.GetEmailChangeMailRequest{ChangeId: changeID})
	require.NoError(h.t, err)
	return mail
}

func TestALinkProvesAnAddress(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	token := h.mail(h.register("Ada@example.com", goodPassword)).GetToken()
	late := h.mail(h.register("late@example.com", goodPassword)).GetToken()
	// Wrong codes of a stranger cost the link nothing.
	for range 6 {
		_, err := h.verify("ada@example.com", "000000")
		require.Error(t, err)
	}
	user, err := h.verifyToken(token)
	require.NoError(t, err)
	require.Equal(t, "Ada@example.com", user.GetEmail())
	h.signIn("ada@example.com")
	_, err = h.verifyToken(token)
	require.Equal(t, "CODE_INVALID", reasonOf(t, err))
	require.Equal(t, []string{"token"}, fieldsOf(t, err))
	require.ErrorContains(t, err, "Ask for another link")
	h.clock.Advance(15 * time.Minute)
	require.NoError(t, app.NewCleanup(&app.App{DB: h.database.DB, Clock: h.clock}, prometheus.NewRegistry()).Once(t.Context()))
	_, err = h.verifyToken(late)
	require.Equal(t, "CODE_EXPIRED", reasonOf(t, err), "also when the cleanup has been by")
	require.Equal(t, []string{"token"}, fieldsOf(t, err))
	for field, request := range map[string]*identityv1.VerifyEmailRequest{
		"email": {Code: "000000"}, "code": {Email: "ada@example.com"}, "token": {Email: "ada@example.com", Code: "000000", Token: token},
	} {
		_, err := h.auth.VerifyEmail(t.Context(), request)
		require.Equal(t, "INVALID_ARGUMENT", reasonOf(t, err))
		require.Equal(t, []string{field}, fieldsOf(t, err))
	}
}

func TestCodesAreSentAgainToWhoRegistered(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	first := h.mail(h.register("ada@example.com", goodPassword))
	// A stranger registers the address as well, later: the code that Ada asks for must not make the stranger's account.
	_, err := h.from("192.0.2.1").Register(t.Context(), &identityv1.RegisterRequest{
		Email: "ada@example.com", Password: "the password of a stranger", DisplayName: "Eve",
	})
	require.NoError(t, err)
	h.clock.Advance(10 * time.Minute)
	again := h.resend("ada@example.com")
	require.NotEqual(t, first.GetToken(), again.GetToken())
	h.clock.Advance(10 * time.Minute)
	_, err = h.verifyToken(first.GetToken())
	require.Equal(t, "CODE_EXPIRED", reasonOf(t, err))
	_, err = h.verify("ada@example.com", again.GetCode())
	require.NoError(t, err)
	h.signIn("ada@example.com")

	known, unknown := h.resend("ada@example.com"), h.resend("nobody@example.com")
	require.True(t, known.GetAccountExists())
	require.False(t, known.GetNothingPending())
	require.True(t, unknown.GetNothingPending())
	for _, mail := range []*identityv1.GetRegistrationMailResponse{known, unknown} {
		require.Empty(t, mail.GetCode())
		require.Empty(t, mail.GetToken())
	}
}

func TestAnotherAddressIsConfirmedAtTheNewOne(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	user := h.signUp("ada@example.com")
	session := h.signIn("ada@example.com")
	mailed := h.forgot("ada@example.com").GetToken()
	earlier := h.changeEmail(session.GetAccessToken(), "typo@example.com")
	changeMail := h.changeEmail(session.GetAccessToken(), "Lovelace@example.com")
	changeID := lastEvent[*identityv1.EmailChangeRequested](h).GetChangeId()
	require.Equal(t, "Lovelace@example.com", changeMail.GetNewEmail())
	require.Equal(t, "ada@example.com", changeMail.GetOldEmail())
	require.True(t, changeMail.GetLive())
	require.Equal(t, h.clock.Now().Add(time.Hour), changeMail.GetExpireTime().AsTime())
	h.signIn("ada@example.com")

	_, err := h.verifyToken(earlier.GetToken())
	require.Equal(t, "CODE_INVALID", reasonOf(t, err), "the last wish counts")
	changed, err := h.verifyToken(changeMail.GetToken())
	require.NoError(t, err)
	require.Equal(t, user.GetId(), changed.GetId())
	require.Equal(t, "Lovelace@example.com", changed.GetEmail())
	require.NotEqual(t, user.GetEtag(), changed.GetEtag())
	updated := lastEvent[*identityv1.UserUpdated](h)
	require.Equal(t, "Lovelace@example.com", updated.GetEmail())
	require.EqualValues(t, 2, updated.GetRevision())
	h.signIn("lovelace@example.com")
	_, err = h.login("ada@example.com", goodPassword)
	require.Equal(t, "CREDENTIALS_INVALID", reasonOf(t, err))
	require.Equal(t, "CODE_INVALID", reasonOf(t, h.reset(mailed, otherPassword)), "what the old address got opens nothing")
	_, err = h.verifyToken(changeMail.GetToken())
	require.Equal(t, "CODE_INVALID", reasonOf(t, err))
	after := h.changeMail(changeID)
	require.False(t, after.GetLive())
	require.Equal(t, "ada@example.com", after.GetOldEmail(), "the old address can still be told")
	require.Empty(t, after.GetToken())
}

func TestATakenAddressIsNobodyElses(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	session := h.signIn("ada@example.com")
	h.signUp("ben@example.com")
	require.Empty(t, h.changeEmail(session.GetAccessToken(), "ben@example.com").GetToken(), "the mail says so, the answer does not")

	token := h.changeEmail(session.GetAccessToken(), "late@example.com").GetToken()
	h.signUp("late@example.com")
	_, err := h.verifyToken(token)
	require.Equal(t, "EMAIL_TAKEN", reasonOf(t, err))
	h.signIn("ada@example.com")

	expired := h.changeEmail(session.GetAccessToken(), "new@example.com").GetToken()
	h.clock.Advance(time.Hour)
	_, err = h.verifyToken(expired)
	require.Equal(t, "CODE_EXPIRED", reasonOf(t, err))
}

func TestAnInvitationsTokenProvesTheAddress(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.invited.addresses["good"] = "Ada@example.com"
	register := func(email, password, token string) (*identityv1.RegisterResponse, error) {
		return h.auth.Register(t.Context(), &identityv1.RegisterRequest{Email: email, Password: password, DisplayName: "Ada", InvitationToken: token})
	}
	for _, bad := range [][2]string{{"ada@example.com", "unknown"}, {"eve@example.com", "good"}} {
		_, err := register(bad[0], goodPassword, bad[1])
		require.Equal(t, "INVITATION_INVALID", reasonOf(t, err))
	}
	_, err := register("ada@example.com", "analyticalengines26", "good")
	require.Equal(t, "PASSWORD_PERSONAL", reasonOf(t, err), "the organization's name is no password")
	require.Zero(t, h.count(`select count(*) from account`))
	registered, err := register("ada@example.com", goodPassword, "good")
	require.NoError(t, err)
	require.Equal(t, "ada@example.com", registered.GetUser().GetEmail())
	require.Equal(t, "the organization", registered.GetOrganizationId())
	require.Equal(t, map[string]string{registered.GetUser().GetId(): "good"}, h.invited.joined)
	h.signIn("ada@example.com")
	_, err = register("ada@example.com", goodPassword, "good")
	require.Equal(t, "EMAIL_TAKEN", reasonOf(t, err))

	h.invited.addresses["other"], h.invited.down = "ben@example.com", true
	alone, err := register("ben@example.com", goodPassword, "other")
	require.NoError(t, err, "the user exists, and the invitation waits")
	require.Empty(t, alone.GetOrganizationId())
	h.signIn("ben@example.com")
}

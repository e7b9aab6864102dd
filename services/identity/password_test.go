package identity_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	"github.com/braidhq/braid/platform/id"
)

const otherPassword = "nine pink elephants dance"

func (h *harness) passwords(accessToken string) identityv1connect.PasswordServiceClient {
	return identityv1connect.NewPasswordServiceClient(h.as(accessToken), h.url)
}

func (h *harness) accountMails() identityv1connect.AccountMailServiceClient {
	return identityv1connect.NewAccountMailServiceClient(bearer{h.client, func() (string, error) {
		return h.forwarder.Token("identity")
	}}, h.url)
}

// lastEvent returns the newest event, which must be of a type.
func lastEvent[Message any](h *harness) Message {
	h.t.Helper()
	events := h.events()
	require.NotEmpty(h.t, events)
	message, ok := events[len(events)-1].message.(Message)
	require.True(h.t, ok, "%T", events[len(events)-1].message)
	return message
}

func (h *harness) forgot(email string) *identityv1.GetPasswordResetMailResponse {
	h.t.Helper()
	_, err := h.passwords("").ForgotPassword(h.t.Context(), &identityv1.ForgotPasswordRequest{Email: email})
	require.NoError(h.t, err)
	mail, err := h.accountMails().GetPasswordResetMail(h.t.Context(), &identityv1.GetPasswordResetMailRequest{
		ResetId: lastEvent[*identityv1.PasswordResetRequested](h).GetResetId(),
	})
	require.NoError(h.t, err)
	return mail
}

func (h *harness) reset(token, password string) error {
	_, err := h.passwords("").ResetPassword(h.t.Context(), &identityv1.ResetPasswordRequest{Token: token, NewPassword: password})
	return err
}

func TestForgottenPasswordIsReset(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	user := h.signUp("ada@example.com")
	session := h.signIn("ada@example.com")
	mail := h.forgot("ADA@example.com")
	require.Equal(t, "ADA@example.com", mail.GetEmail())
	require.Equal(t, h.clock.Now().Add(30*time.Minute), mail.GetExpireTime().AsTime())
	require.Len(t, mail.GetToken(), 43)
	second := h.forgot("ada@example.com")

	for reason, password := range map[string]string{"PASSWORD_TOO_SHORT": "short", "PASSWORD_PERSONAL": "ada@example.com", "PASSWORD_BREACHED": "passwordpassword"} {
		err := h.reset(mail.GetToken(), password)
		require.Equal(t, reason, reasonOf(t, err))
		require.Equal(t, []string{"newPassword"}, fieldsOf(t, err))
	}
	require.True(t, h.active(session.GetAccessToken()), "what is refused changes nothing")
	require.NoError(t, h.reset(mail.GetToken(), otherPassword))
	require.False(t, h.active(session.GetAccessToken()))
	_, err := h.refresh(session.GetRefreshToken())
	require.Equal(t, "REFRESH_TOKEN_INVALID", reasonOf(t, err))
	_, err = h.login("ada@example.com", goodPassword)
	require.Equal(t, "CREDENTIALS_INVALID", reasonOf(t, err))
	_, err = h.login("ada@example.com", otherPassword)
	require.NoError(t, err)
	for name, token := range map[string]string{"used": mail.GetToken(), "mailed besides": second.GetToken(), "unknown": "x"} {
		err := h.reset(token, goodPassword)
		require.Equal(t, "CODE_INVALID", reasonOf(t, err), name)
		require.Equal(t, []string{"token"}, fieldsOf(t, err), name)
		require.ErrorContains(t, err, "Ask for another link", name)
	}

	var told []string
	for _, event := range h.events() {
		switch message := event.message.(type) {
		case *identityv1.PasswordChanged:
			require.Equal(t, user.GetId(), message.GetUserId())
			require.True(t, message.GetReset_())
			require.Contains(t, event.attributes, user.GetId(), "the event says who did it")
			told = append(told, event.eventType)
		case *identityv1.SessionRevoked:
			require.Equal(t, identityv1.SessionRevoked_PASSWORD_RESET, message.GetReason())
			told = append(told, event.eventType)
		}
	}
	require.Equal(t, []string{"identity.session.revoked", "identity.password.changed"}, told)
}

func TestResetTokenExpires(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	mail := h.forgot("ada@example.com")
	h.clock.Advance(30 * time.Minute)
	err := h.reset(mail.GetToken(), otherPassword)
	require.Equal(t, "CODE_EXPIRED", reasonOf(t, err))
	require.Equal(t, []string{"token"}, fieldsOf(t, err))
	h.signIn("ada@example.com")
}

func TestUnknownAddressGetsAMailWithoutAToken(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	mail := h.forgot("nobody@example.com")
	require.Equal(t, "nobody@example.com", mail.GetEmail())
	require.Empty(t, mail.GetToken())
}

func TestOneOfTwoResetsAtOnceWins(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	token := h.forgot("ada@example.com").GetToken()
	other := assembleBeside(t, h)
	errors := make(chan error, 8)
	var group sync.WaitGroup
	for i := range cap(errors) {
		group.Go(func() { errors <- []*harness{h, other}[i%2].reset(token, otherPassword) })
	}
	group.Wait()
	close(errors)
	won := 0
	for err := range errors {
		if err == nil {
			won++
			continue
		}
		require.Equal(t, "CODE_INVALID", reasonOf(t, err))
	}
	require.Equal(t, 1, won)
	require.Equal(t, 1, h.count(`select count(*) from outbox where type = 'identity.password.changed'`))
}

func TestChangingThePasswordNeedsTheOldOne(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	user := h.signUp("ada@example.com")
	mine, other := h.signIn("ada@example.com"), h.signIn("ada@example.com")
	mailed := h.forgot("ada@example.com").GetToken()
	change := func(current, password string) error {
		_, err := h.passwords(mine.GetAccessToken()).ChangePassword(t.Context(), &identityv1.ChangePasswordRequest{
			CurrentPassword: current, NewPassword: password,
		})
		return err
	}
	require.Equal(t, "CREDENTIALS_INVALID", reasonOf(t, change("not the password", otherPassword)))
	err := change(goodPassword, "short")
	require.Equal(t, "PASSWORD_TOO_SHORT", reasonOf(t, err))
	require.Equal(t, []string{"newPassword"}, fieldsOf(t, err))
	err = change(goodPassword, goodPassword)
	require.Equal(t, "PASSWORD_UNCHANGED", reasonOf(t, err))
	require.Equal(t, []string{"newPassword"}, fieldsOf(t, err))
	require.True(t, h.active(other.GetAccessToken()))
	require.NoError(t, change(goodPassword, otherPassword))
	changed := lastEvent[*identityv1.PasswordChanged](h)
	require.Equal(t, user.GetId(), changed.GetUserId())
	require.False(t, changed.GetReset_())
	require.True(t, h.active(mine.GetAccessToken()), "the session that changed it goes on")
	require.False(t, h.active(other.GetAccessToken()))
	require.Equal(t, "CODE_INVALID", reasonOf(t, h.reset(mailed, goodPassword)), "an old mail can't undo it")
	_, err = h.login("ada@example.com", otherPassword)
	require.NoError(t, err)

	for range 5 {
		require.Equal(t, "CREDENTIALS_INVALID", reasonOf(t, change("not the password", goodPassword)))
	}
	require.Equal(t, "ACCOUNT_LOCKED", reasonOf(t, change(otherPassword, goodPassword)), "a stolen session can't guess on")
	_, err = h.tryFrom("192.0.2.1", "ada@example.com", otherPassword, "")
	require.NoError(t, err, "and locks no other client")
}

// A login whose password was right a moment ago must not begin a session after a reset has ended all of them.
func TestLoginUnderWayDoesNotOutliveAReset(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	token := h.forgot("ada@example.com").GetToken()
	gate, err := h.database.Admin.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = gate.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = gate.Exec(t.Context(), `select from credential for update`)
	require.NoError(t, err)
	waiting := func(count int) {
		require.Eventually(t, func() bool {
			return h.count(`select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`) == count
		}, 20*time.Second, 5*time.Millisecond)
	}
	reset, login := make(chan error, 1), make(chan error, 1)
	go func() { reset <- h.reset(token, otherPassword) }()
	waiting(1)
	go func() { _, err := h.login("ada@example.com", goodPassword); login <- err }()
	waiting(2)
	require.NoError(t, gate.Commit(t.Context()))
	require.NoError(t, <-reset)
	require.Equal(t, "CREDENTIALS_INVALID", reasonOf(t, <-login))
	require.Zero(t, h.count(`select count(*) from session`))
}

// Whoever resets a password may have been robbed: what the thief made for later ends with it. Who knows the password and
// changes it goes on with their scripts.
func TestAResetEndsAccessTokensAndAChangeDoesNot(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	organization := id.New()
	session, user := h.member("ada@example.com", organization, "admin")
	made := make([]string, 2)
	for i := range made {
		token, err := h.accessTokens(session).CreateAccessToken(t.Context(), &identityv1.CreateAccessTokenRequest{
			DisplayName: "Script", Scopes: []string{"identity.service_account.read"},
		})
		require.NoError(t, err)
		made[i] = token.GetToken()
	}
	bens, _ := h.member("ben@example.com", organization, "admin")
	other, err := h.accessTokens(bens).CreateAccessToken(t.Context(), &identityv1.CreateAccessTokenRequest{
		DisplayName: "Ben's", Scopes: []string{"identity.service_account.read"},
	})
	require.NoError(t, err)
	_, err = h.passwords(session).ChangePassword(t.Context(), &identityv1.ChangePasswordRequest{CurrentPassword: goodPassword, NewPassword: otherPassword})
	require.NoError(t, err)
	require.NoError(t, h.list(made[0], organization), "a change is no sign of a theft")

	answer, err := h.passwords("").ResetPassword(t.Context(), &identityv1.ResetPasswordRequest{
		Token: h.forgot("ada@example.com").GetToken(), NewPassword: goodPassword,
	})
	require.NoError(t, err)
	require.EqualValues(t, 2, answer.GetEndedAccessTokens())
	for _, token := range made {
		require.Equal(t, "TOKEN_INVALID", reasonOf(t, h.list(token, organization)), "at once")
	}
	require.NoError(t, h.list(other.GetToken(), organization), "Ben's are Ben's")
	revoked := lastEvent[*identityv1.AccessTokenRevoked](h)
	require.Equal(t, user.GetId(), revoked.GetUserId(), "every process hears of it, and the audit")
}

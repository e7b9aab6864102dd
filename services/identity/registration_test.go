package identity_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
)

func TestRegisterVerifyAndLogIn(t *testing.T) {
	t.Parallel()
	h := newHarness(t)

	registrationID := h.register("Ada@Example.com", goodPassword)
	_, err := h.login("ada@example.com", goodPassword)
	require.Equal(t, "CREDENTIALS_INVALID", reasonOf(t, err), "an address that is not proven is nobody's")

	mail := h.mail(registrationID)
	require.Regexp(t, `^[0-9]{6}$`, mail.GetCode())
	require.Equal(t, "Ada@Example.com", mail.GetEmail())
	require.Equal(t, "Ada", mail.GetDisplayName())
	require.False(t, mail.GetAccountExists())
	require.Equal(t, h.clock.Now().Add(15*time.Minute), mail.GetExpireTime().AsTime())

	user, err := h.verify("ada@EXAMPLE.com", mail.GetCode())
	require.NoError(t, err)
	require.Equal(t, "Ada@Example.com", user.GetEmail())
	require.NotEmpty(t, user.GetEtag())

	response := h.signIn("ADA@example.com")
	require.Equal(t, user.GetId(), response.GetUser().GetId())
	require.Equal(t, "Bearer", response.GetTokenType())
	require.EqualValues(t, 600, response.GetExpiresIn())
	require.True(t, h.active(response.GetAccessToken()))

	types := []string{}
	for _, event := range h.events() {
		types = append(types, event.eventType)
	}
	require.Equal(t, []string{"identity.registration.requested", "identity.login.failed", "identity.user.registered", "identity.login.succeeded"}, types)
	registered := h.events()[2]
	require.Equal(t, user.GetId(), registered.key.String())
	require.Equal(t, "user/"+user.GetId(), registered.subject)
	require.Contains(t, registered.attributes, user.GetId(), "the event says who did it")
}

func TestCodeWorksOnceAndOnlyForItsAddress(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	code := h.mail(h.register("ada@example.com", goodPassword)).GetCode()
	_, err := h.verify("ben@example.com", code)
	require.Equal(t, "CODE_INVALID", reasonOf(t, err))
	_, err = h.verify("ada@example.com", code)
	require.NoError(t, err)
	_, err = h.verify("ada@example.com", code)
	require.Equal(t, "CODE_INVALID", reasonOf(t, err))
}

func TestCodeExpires(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	registrationID := h.register("ada@example.com", goodPassword)
	code := h.mail(registrationID).GetCode()
	h.clock.Advance(15 * time.Minute)
	_, err := h.verify("ada@example.com", code)
	require.Equal(t, "CODE_INVALID", reasonOf(t, err))
	_, err = h.directory.GetRegistrationMail(t.Context(), &identityv1.GetRegistrationMailRequest{RegistrationId: registrationID})
	require.Equal(t, "NOT_FOUND", reasonOf(t, err), "nothing is mailed that would not work")
}

func TestFiveWrongTriesOfAClientAreForEveryPendingRegistration(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	first := h.mail(h.register("ada@example.com", goodPassword)).GetCode()
	second := h.mail(h.register("ada@example.com", "another password entirely")).GetCode()
	wrong := otherCode(first)
	if wrong == second {
		wrong = "654321"
	}
	for range 4 {
		_, err := h.verify("ada@example.com", wrong)
		require.Equal(t, "CODE_INVALID", reasonOf(t, err))
	}
	_, err := h.verify("ada@example.com", wrong)
	require.Equal(t, "CODE_INVALID", reasonOf(t, err))
	for _, code := range []string{first, second} {
		_, err = h.verify("ada@example.com", code)
		require.Equal(t, "CODE_INVALID", reasonOf(t, err), "the sixth try is refused even when it is right")
	}
	require.Zero(t, h.count(`select count(*) from account`))
}

func TestFourWrongTriesLeaveTheFifth(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	code := h.mail(h.register("ada@example.com", goodPassword)).GetCode()
	for range 4 {
		_, err := h.verify("ada@example.com", otherCode(code))
		require.Error(t, err)
	}
	_, err := h.verify("ada@example.com", code)
	require.NoError(t, err)
}

func TestPendingRegistrationsKeepTheirOwnPasswords(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.register("ada@example.com", "the password of somebody else")
	code := h.mail(h.register("ada@example.com", goodPassword)).GetCode()
	h.register("ada@example.com", "the password of yet another")
	_, err := h.verify("ada@example.com", code)
	require.NoError(t, err)
	h.signIn("ada@example.com")
	for _, other := range []string{"the password of somebody else", "the password of yet another"} {
		_, err := h.login("ada@example.com", other)
		require.Equal(t, "CREDENTIALS_INVALID", reasonOf(t, err))
	}
	require.Zero(t, h.count(`select count(*) from registration`), "what was pending ends with the proof")
}

func TestKnownAddressGetsAMailThatSaysSo(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	mail := h.mail(h.register("ADA@example.com", "another password entirely"))
	require.True(t, mail.GetAccountExists())
	require.Empty(t, mail.GetCode())
	for code := range 20 {
		_, err := h.verify("ada@example.com", fmt.Sprintf("%06d", code))
		require.Equal(t, "CODE_INVALID", reasonOf(t, err))
	}
	h.signIn("ada@example.com")
}

func TestStrangersCannotVoidTheCodeThatTheOwnerGot(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	code := h.mail(h.register("ada@example.com", goodPassword)).GetCode()
	mails := func() int {
		return h.count(`select count(*) from outbox where type = 'identity.registration.requested'`)
	}
	for try := range 20 {
		_, err := h.from(fmt.Sprintf("192.0.2.%d", try%2)).Register(t.Context(), &identityv1.RegisterRequest{
			Email: "ada@example.com", Password: goodPassword, DisplayName: "Eve",
		})
		require.NoError(t, err, "who asks too often hears the same")
	}
	require.Equal(t, 10, mails(), "ten an hour, whoever asks")
	require.Equal(t, 10, h.count(`select count(*) from registration`))
	h.register("ben@example.com", goodPassword)
	_, err := h.verify("ada@example.com", code)
	require.NoError(t, err)
	h.clock.Advance(time.Hour)
	before := mails()
	require.NoError(t, h.askForAccount("ada@example.com"))
	require.Equal(t, before+1, mails(), "an hour later there are mails again")
}

func TestOneClientLeavesMailsForTheOwner(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for range 9 {
		_, err := h.from("2001:db8::1").Register(t.Context(), &identityv1.RegisterRequest{
			Email: "ada@example.com", Password: goodPassword, DisplayName: "Eve",
		})
		require.NoError(t, err)
		_, err = h.from("2001:db8::ffff:2").Register(t.Context(), &identityv1.RegisterRequest{
			Email: "ada@example.com", Password: goodPassword, DisplayName: "Eve",
		})
		require.NoError(t, err)
	}
	require.Equal(t, 5, h.count(`select count(*) from outbox`), "one network of IPv6 is one client")
	h.register("ada@example.com", goodPassword)
}

func TestVerifyingAtOnceMakesOneUser(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	var codes []string
	for range 4 {
		codes = append(codes, h.mail(h.register("ada@example.com", goodPassword)).GetCode())
	}
	var group sync.WaitGroup
	results := make(chan error, 2*len(codes))
	for i := range cap(results) {
		group.Go(func() {
			_, err := h.verify("ada@example.com", codes[i%len(codes)])
			results <- err
		})
	}
	group.Wait()
	close(results)
	made := 0
	for err := range results {
		if err == nil {
			made++
			continue
		}
		require.Equal(t, "CODE_INVALID", reasonOf(t, err))
	}
	require.Equal(t, 1, made)
	require.Equal(t, 1, h.count(`select count(*) from account`))
	require.Equal(t, 1, h.count(`select count(*) from outbox where type = 'identity.user.registered'`))
}

func TestAddressTakenMeanwhileIsJustAWrongCode(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	code := h.mail(h.register("late@example.com", goodPassword)).GetCode()
	// As if another registration of the address had been proven between this one's insert and its verification.
	_, err := h.database.Admin.Exec(t.Context(), `update credential set email_key = 'late@example.com'`)
	require.NoError(t, err)
	_, err = h.verify("late@example.com", code)
	require.Equal(t, "CODE_INVALID", reasonOf(t, err))
	require.Equal(t, 1, h.count(`select count(*) from account`), "nothing is left of the attempt")
	require.Equal(t, 1, h.count(`select count(*) from outbox where type = 'identity.user.registered'`))
}

func TestRegisterRefusesWhatTheContractRefuses(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	good := identityv1.RegisterRequest{Email: "ada@example.com", Password: goodPassword, DisplayName: "Ada"}
	for name, email := range map[string]string{
		"two dots": "two..dots@example.com", "a dot in front": ".lead@example.com", "a dot at the end": "trail.@example.com",
		"65 letters before the @": strings.Repeat("a", 65) + "@example.com",
	} {
		_, err := h.auth.Register(t.Context(), &identityv1.RegisterRequest{Email: email, Password: good.Password, DisplayName: good.DisplayName})
		require.Equal(t, "INVALID_ARGUMENT", reasonOf(t, err), name)
		require.Equal(t, []string{"email"}, fieldsOf(t, err), name)
	}
	for name, request := range map[string]*identityv1.RegisterRequest{
		"no address":     {Email: "ada", Password: good.Password, DisplayName: good.DisplayName},
		"invisible name": {Email: good.Email, Password: good.Password, DisplayName: "  \t "},
	} {
		_, err := h.auth.Register(t.Context(), request)
		require.Equal(t, "INVALID_ARGUMENT", reasonOf(t, err), name)
	}
	for reason, password := range map[string]string{
		"PASSWORD_TOO_SHORT": "eleven char", "PASSWORD_TOO_LONG": strings.Repeat("x", 257),
		"PASSWORD_BREACHED": "1qaz2wsx3edc", "PASSWORD_PERSONAL": "ada@example.com!!",
	} {
		_, err := h.auth.Register(t.Context(), &identityv1.RegisterRequest{Email: good.Email, Password: password, DisplayName: good.DisplayName})
		require.Equal(t, reason, reasonOf(t, err))
		require.Equal(t, []string{"password"}, fieldsOf(t, err))
	}
	require.Zero(t, h.count(`select count(*) from registration`))
}

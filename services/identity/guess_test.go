package identity_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/app"
)

// assembleBeside is another process over the same database, with the same keys.
func assembleBeside(t *testing.T, h *harness) *harness {
	t.Helper()
	return assembleWith(t, h.database, h.database.DB, testConfig(), h.clock, h.keyDir)
}

// tryFrom logs in as a client at an address; wrong says with what.
func (h *harness) tryFrom(address, email, password, device string) (*identityv1.LoginResponse, error) {
	client := h.auth
	if address != "" {
		client = h.from(address)
	}
	return client.Login(h.t.Context(), &identityv1.LoginRequest{Email: email, Password: password, DeviceToken: device})
}

func (h *harness) failFrom(times int, address, email, device string) {
	h.t.Helper()
	for range times {
		_, err := h.tryFrom(address, email, "not the password", device)
		require.Equal(h.t, "CREDENTIALS_INVALID", reasonOf(h.t, err))
	}
}

// retryAfterOf returns when an error says to come back.
func retryAfterOf(t *testing.T, err error) time.Duration {
	t.Helper()
	var refused *connect.Error
	require.ErrorAs(t, err, &refused)
	for _, detail := range refused.Details() {
		value, err := detail.Value()
		require.NoError(t, err)
		if info, ok := value.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

func TestFiveWrongPasswordsLockTheAccountForThatClient(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	h.failFrom(4, "192.0.2.1", "ada@example.com", "")
	_, err := h.tryFrom("192.0.2.1", "ada@example.com", goodPassword, "")
	require.NoError(t, err, "four are forgiven")
	h.failFrom(5, "192.0.2.1", "ada@example.com", "")
	_, err = h.tryFrom("192.0.2.1", "ada@example.com", goodPassword, "")
	require.Equal(t, "ACCOUNT_LOCKED", reasonOf(t, err))
	require.Equal(t, 15*time.Minute, retryAfterOf(t, err))
	_, err = h.tryFrom("192.0.2.1", "ada@example.com", "not the password", "")
	require.Equal(t, "CREDENTIALS_INVALID", reasonOf(t, err), "only the right password hears of the lock")
	require.Zero(t, retryAfterOf(t, err))
	_, err = h.tryFrom("192.0.2.2", "ada@example.com", goodPassword, "")
	require.NoError(t, err, "others are not locked out")

	h.clock.Advance(15 * time.Minute)
	_, err = h.tryFrom("192.0.2.1", "ada@example.com", goodPassword, "")
	require.NoError(t, err)
}

func TestWrongPasswordsAreForgottenAfterTenMinutes(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	h.failFrom(4, "192.0.2.1", "ada@example.com", "")
	h.clock.Advance(10 * time.Minute)
	h.failFrom(4, "192.0.2.1", "ada@example.com", "")
	_, err := h.tryFrom("192.0.2.1", "ada@example.com", goodPassword, "")
	require.NoError(t, err)
}

func TestLocksGrowToADay(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	for _, want := range []time.Duration{
		15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 16 * time.Hour, 24 * time.Hour, 24 * time.Hour,
	} {
		h.failFrom(5, "192.0.2.1", "ada@example.com", "")
		_, err := h.tryFrom("192.0.2.1", "ada@example.com", goodPassword, "")
		require.Equal(t, "ACCOUNT_LOCKED", reasonOf(t, err))
		require.Equal(t, want, retryAfterOf(t, err))
		require.NoError(t, app.NewCleanup(&app.App{DB: h.database.DB, Clock: h.clock}, prometheus.NewRegistry()).Once(t.Context()))
		h.clock.Advance(want)
	}
	_, err := h.tryFrom("192.0.2.1", "ada@example.com", goodPassword, "")
	require.NoError(t, err)
	h.failFrom(5, "192.0.2.1", "ada@example.com", "")
	_, err = h.tryFrom("192.0.2.1", "ada@example.com", goodPassword, "")
	require.Equal(t, 15*time.Minute, retryAfterOf(t, err), "the owner's login makes good")
}

// Were it told for ever who is right under a lock, a lock would change nothing for who guesses.
func TestALockDoesNotAnswerGuessesOnAndOn(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	h.failFrom(10, "192.0.2.1", "ada@example.com", "")
	h.failFrom(10, "192.0.2.1", "nobody@example.com", "")
	h.clock.Advance(time.Minute)
	_, right := h.tryFrom("192.0.2.1", "ada@example.com", goodPassword, "")
	_, wrong := h.tryFrom("192.0.2.1", "ada@example.com", "not the password", "")
	_, nobodys := h.tryFrom("192.0.2.1", "nobody@example.com", goodPassword, "")
	for _, err := range []error{right, wrong, nobodys} {
		require.Equal(t, "RATE_LIMITED", reasonOf(t, err), "nothing is looked at, and everybody is told so")
		require.Equal(t, 14*time.Minute, retryAfterOf(t, err))
		require.Equal(t, right.Error(), err.Error())
	}
	h.clock.Advance(14 * time.Minute)
	_, err := h.tryFrom("192.0.2.1", "ada@example.com", goodPassword, "")
	require.NoError(t, err)
}

func TestStrangersCannotLockTheOwnerOut(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	h.signUp("eve@example.com")
	login := h.signIn("ada@example.com")
	device := login.GetDeviceToken()
	require.Len(t, device, 43)
	// A stranger behind the same address as the owner.
	h.failFrom(10, "192.0.2.1", "ada@example.com", "")
	for _, unknown := range []string{"", "not a device token"} {
		_, err := h.tryFrom("192.0.2.1", "ada@example.com", goodPassword, unknown)
		require.Equal(t, "RATE_LIMITED", reasonOf(t, err))
	}
	evesDevice := h.signIn("eve@example.com").GetDeviceToken()
	h.failFrom(6, "192.0.2.1", "ada@example.com", evesDevice)
	known, err := h.tryFrom("192.0.2.1", "ada@example.com", goodPassword, device)
	require.NoError(t, err)
	require.Empty(t, known.GetDeviceToken(), "the token stays good")
	_, err = h.tryFrom("192.0.2.1", "eve@example.com", goodPassword, device)
	require.NoError(t, err, "another's device is no lock either")

	h.failFrom(5, "192.0.2.9", "ada@example.com", device)
	_, err = h.tryFrom("192.0.2.10", "ada@example.com", goodPassword, device)
	require.Equal(t, "ACCOUNT_LOCKED", reasonOf(t, err), "a stolen device has a budget as well, wherever it is")
	h.clock.Advance(366 * 24 * time.Hour)
	renewed, err := h.tryFrom("192.0.2.1", "ada@example.com", goodPassword, device)
	require.NoError(t, err)
	require.NotEmpty(t, renewed.GetDeviceToken(), "a year later it is not known any more")
}

func TestNetworksAndEveryoneHaveBudgets(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	device := h.signIn("ada@example.com").GetDeviceToken()
	config := testConfig()
	config.GuessesPerNetwork, config.GuessesTotal = 7, 10
	strict := assembleWith(t, h.database, h.database.DB, config, h.clock, h.keyDir)
	for i := range 7 {
		_, err := strict.tryFrom(fmt.Sprintf("2001:db8::%d", i), fmt.Sprintf("somebody%d@example.com", i), "not the password", "")
		require.Equal(t, "CREDENTIALS_INVALID", reasonOf(t, err))
	}
	hashed := strict.hashes()
	for _, email := range []string{"ada@example.com", "nobody@example.com"} {
		_, err := strict.tryFrom("2001:db8::99", email, goodPassword, "")
		require.Equal(t, "RATE_LIMITED", reasonOf(t, err))
		require.Equal(t, 10*time.Minute, retryAfterOf(t, err))
	}
	_, err := strict.from("2001:db8::99").VerifyEmail(t.Context(), &identityv1.VerifyEmailRequest{Email: "ada@example.com", Code: "000000"})
	require.Equal(t, "RATE_LIMITED", reasonOf(t, err), "codes are guessed from the same budget")
	require.Equal(t, hashed, strict.hashes(), "not worth a hash")
	_, err = strict.tryFrom("2001:db8::1", "ada@example.com", goodPassword, device)
	require.NoError(t, err, "a known device is in no common budget")
	_, err = strict.tryFrom("2001:db8:1::1", "ada@example.com", goodPassword, "")
	require.NoError(t, err, "nor is another network")
	for i := range 3 {
		_, err := strict.tryFrom(fmt.Sprintf("192.0.2.%d", i), "nobody@example.com", "not the password", "")
		require.Equal(t, "CREDENTIALS_INVALID", reasonOf(t, err))
	}
	_, err = strict.tryFrom("198.51.100.1", "ada@example.com", goodPassword, "")
	require.Equal(t, "RATE_LIMITED", reasonOf(t, err), "everyone together")
	h.clock.Advance(10 * time.Minute)
	_, err = strict.tryFrom("2001:db8::1", "ada@example.com", goodPassword, "")
	require.NoError(t, err)
}

// Two processes over one database count together: of many guesses at once exactly five are answered before the lock.
func TestGuessesAreCountedAcrossProcesses(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	processes := []*harness{h, assembleBeside(t, h)}
	var group sync.WaitGroup
	results := make(chan error, 40)
	for i := range cap(results) {
		group.Go(func() {
			_, err := processes[i%2].tryFrom("192.0.2.1", "ada@example.com", "not the password", "")
			results <- err
		})
	}
	group.Wait()
	close(results)
	answers := map[string]int{}
	for err := range results {
		answers[reasonOf(t, err)]++
	}
	require.Equal(t, map[string]int{"CREDENTIALS_INVALID": 10, "RATE_LIMITED": 30}, answers)
	require.Equal(t, 40, h.count(`select max(spent) from budget where locked_until is null`), "the network's: none is lost")
	require.Equal(t, 1, h.count(`select locks from budget where locked_until is not null`))
	require.Equal(t, 5, h.count(`select spent from budget where locked_until is not null`))
}

// The right password among wrong ones at once passes only if it is judged before the fifth wrong one.
func TestParallelGuessesDoNotSlipPastTheLock(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	h.failFrom(4, "192.0.2.1", "ada@example.com", "")
	gate, err := h.database.Admin.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = gate.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = gate.Exec(t.Context(), `select from budget for update`)
	require.NoError(t, err)
	wrong, right := make(chan error, 1), make(chan error, 1)
	waiting := func(count int) {
		require.Eventually(t, func() bool {
			return h.count(`select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`) == count
		}, 20*time.Second, 5*time.Millisecond)
	}
	go func() { _, err := h.tryFrom("192.0.2.1", "ada@example.com", "not the password", ""); wrong <- err }()
	waiting(1)
	go func() { _, err := h.tryFrom("192.0.2.1", "ada@example.com", goodPassword, ""); right <- err }()
	waiting(2)
	require.NoError(t, gate.Rollback(t.Context()))
	require.Equal(t, "CREDENTIALS_INVALID", reasonOf(t, <-wrong))
	require.Equal(t, "ACCOUNT_LOCKED", reasonOf(t, <-right))
}

// Wrong passwords of one client are counted together, wherever it shows them.
func TestLoginStepUpAndChangeShareABudget(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	session := h.signIn("ada@example.com")
	token, device := session.GetAccessToken(), session.GetDeviceToken()
	change := func(current, device string) error {
		_, err := h.passwords(token).ChangePassword(t.Context(), &identityv1.ChangePasswordRequest{
			CurrentPassword: current, NewPassword: otherPassword, DeviceToken: device,
		})
		return err
	}
	stepUp := func(password, device string) error {
		_, err := h.logins(token).StepUp(t.Context(), &identityv1.StepUpRequest{Password: password, DeviceToken: device})
		return err
	}
	h.failFrom(2, "", "ada@example.com", "")
	require.Equal(t, "CREDENTIALS_INVALID", reasonOf(t, stepUp("not the password", "")))
	require.Equal(t, "CREDENTIALS_INVALID", reasonOf(t, stepUp("not the password", "")))
	require.Equal(t, "CREDENTIALS_INVALID", reasonOf(t, change("not the password", "")))
	_, login := h.login("ada@example.com", goodPassword)
	for _, err := range []error{login, stepUp(goodPassword, ""), change(goodPassword, "")} {
		require.Equal(t, "ACCOUNT_LOCKED", reasonOf(t, err))
		require.Equal(t, 15*time.Minute, retryAfterOf(t, err))
	}
	_, err := h.passwords(token).ChangePassword(t.Context(), &identityv1.ChangePasswordRequest{CurrentPassword: "not the password", NewPassword: "short"})
	require.Equal(t, "CREDENTIALS_INVALID", reasonOf(t, err))
	_, err = h.passwords(token).ChangePassword(t.Context(), &identityv1.ChangePasswordRequest{CurrentPassword: goodPassword, NewPassword: "short"})
	require.Equal(t, "ACCOUNT_LOCKED", reasonOf(t, err), "what is wrong with the other password does not give the present one away")
	require.NoError(t, stepUp(goodPassword, device), "a known device is a client of its own here, too")
	for range 5 {
		require.Equal(t, "CREDENTIALS_INVALID", reasonOf(t, stepUp("not the password", device)))
	}
	_, err = h.tryFrom("192.0.2.7", "ada@example.com", goodPassword, device)
	require.Equal(t, "ACCOUNT_LOCKED", reasonOf(t, err))
	require.Equal(t, "ACCOUNT_LOCKED", reasonOf(t, change(goodPassword, device)))
}

func TestAnotherPasswordEndsTheLocksOfAllClients(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	for _, address := range []string{"192.0.2.1", "192.0.2.2"} {
		h.failFrom(10, address, "ada@example.com", "")
	}
	require.NoError(t, h.reset(h.forgot("ada@example.com").GetToken(), otherPassword))
	for _, address := range []string{"192.0.2.1", "192.0.2.2"} {
		h.failFrom(4, address, "ada@example.com", "")
		_, err := h.tryFrom(address, "ada@example.com", otherPassword, "")
		require.NoError(t, err)
	}
	h.failFrom(5, "192.0.2.1", "ada@example.com", "")
	session, err := h.login("ada@example.com", otherPassword)
	require.NoError(t, err)
	_, err = h.passwords(session.GetAccessToken()).ChangePassword(t.Context(), &identityv1.ChangePasswordRequest{
		CurrentPassword: otherPassword, NewPassword: goodPassword,
	})
	require.NoError(t, err)
	_, err = h.tryFrom("192.0.2.1", "ada@example.com", goodPassword, "")
	require.NoError(t, err)
}

func TestBudgetsArePurged(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	cleanup := app.NewCleanup(&app.App{DB: h.database.DB, Clock: h.clock}, prometheus.NewRegistry())
	h.signUp("ada@example.com")
	h.signIn("ada@example.com")
	h.forgot("ada@example.com")
	h.failFrom(6, "192.0.2.1", "ada@example.com", "")
	require.NotZero(t, h.count(`select count(*) from budget`))
	h.clock.Advance(25 * time.Hour)
	require.NoError(t, cleanup.Once(t.Context()))
	require.Zero(t, h.count(`select count(*) from budget`))
	require.Zero(t, h.count(`select count(*) from password_reset`))
	require.Equal(t, 1, h.count(`select count(*) from device`))
	h.clock.Advance(365 * 24 * time.Hour)
	require.NoError(t, cleanup.Once(t.Context()))
	require.Zero(t, h.count(`select count(*) from device`))
}

func TestTheBudgetTableNamesNobody(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.failFrom(1, "192.0.2.1", "nobody@example.com", "")
	err := h.database.DB.Point(pg.Scope{}).QueryRow(t.Context(), `select count(*) from budget`).Scan(new(int))
	require.ErrorContains(t, err, "permission denied")
	require.Equal(t, h.count(`select count(*) from budget`), h.count(`select count(*) from budget where octet_length(key) = 32`))
}

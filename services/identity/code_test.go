package identity_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
)

func (h *harness) verifyFrom(address, email, code string) error {
	_, err := h.from(address).VerifyEmail(h.t.Context(), &identityv1.VerifyEmailRequest{Email: email, Code: code})
	return err
}

func TestWrongCodesCountForTheirClientAlone(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	code := h.mail(h.register("ada@example.com", goodPassword)).GetCode()
	for range 20 {
		require.Equal(t, "CODE_INVALID", reasonOf(t, h.verifyFrom("192.0.2.1", "ada@example.com", otherCode(code))))
	}
	require.Equal(t, "CODE_INVALID", reasonOf(t, h.verifyFrom("192.0.2.1", "ada@example.com", code)), "the stranger has had five")
	for range 4 {
		_, err := h.verify("ada@example.com", otherCode(code))
		require.Equal(t, "CODE_INVALID", reasonOf(t, err))
	}
	_, err := h.verify("ada@example.com", code)
	require.NoError(t, err, "the owner has five as well")
}

func TestANewCodeBeginsWithNewTries(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	code := h.mail(h.register("ada@example.com", goodPassword)).GetCode()
	for range 6 {
		_, err := h.verify("ada@example.com", otherCode(code))
		require.Equal(t, "CODE_INVALID", reasonOf(t, err))
		require.Equal(t, []string{"code"}, fieldsOf(t, err))
	}
	_, err := h.verify("ada@example.com", code)
	require.Equal(t, "CODE_INVALID", reasonOf(t, err))
	// The stranger's own registration of the address is no new try with Ada's client, nor Ada's one with the stranger's.
	_, err = h.from("192.0.2.1").Register(t.Context(), &identityv1.RegisterRequest{
		Email: "ada@example.com", Password: "the password of a stranger", DisplayName: "Eve",
	})
	require.NoError(t, err)
	_, err = h.verify("ada@example.com", code)
	require.Equal(t, "CODE_INVALID", reasonOf(t, err))
	again := h.resend("ada@example.com").GetCode()
	_, err = h.verify("ada@example.com", again)
	require.NoError(t, err)
}

func TestFiftyWrongCodesOfAllClientsAreEnough(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	mail := h.mail(h.register("ada@example.com", goodPassword))
	h.clock.Advance(time.Minute)
	for try := range 50 {
		// After the five of each client one more, which is not looked at and costs the others nothing.
		address := fmt.Sprintf("192.0.2.%d", try/5)
		require.Equal(t, "CODE_INVALID", reasonOf(t, h.verifyFrom(address, "ada@example.com", otherCode(mail.GetCode()))))
		if try%5 == 4 && try < 49 {
			require.Equal(t, "CODE_INVALID", reasonOf(t, h.verifyFrom(address, "ada@example.com", mail.GetCode())))
		}
	}
	for _, code := range []string{mail.GetCode(), otherCode(mail.GetCode())} {
		_, err := h.verify("ada@example.com", code)
		require.Equal(t, "RATE_LIMITED", reasonOf(t, err))
		require.Equal(t, 15*time.Minute, retryAfterOf(t, err))
	}
	_, err := h.verify("ben@example.com", "000000")
	require.Equal(t, "CODE_INVALID", reasonOf(t, err), "it is the address's budget")
	_, err = h.verifyToken(mail.GetToken())
	require.NoError(t, err, "the link works on")
}

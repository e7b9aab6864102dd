package identity_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// appoint makes a user an operator behind identity's back.
func (h *harness) appoint(userID, role string) {
	h.t.Helper()
	_, err := h.database.Admin.Exec(h.t.Context(), `insert into operator (account_id, role, created_at, updated_at, revision)
values ($1, $2, $3, $3, 1)`, userID, role, h.clock.Now())
	require.NoError(h.t, err)
}

func TestTokensOfOperatorsSayTheirRole(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, ben := h.signUp("ada@example.com"), h.signUp("ben@example.com")
	before := h.signIn("ada@example.com")
	require.NotContains(t, claimsOf(t, before.GetAccessToken()), "braid_op")
	h.appoint(ada.GetId(), "support")

	refreshed, err := h.refresh(before.GetRefreshToken())
	require.NoError(t, err)
	require.Equal(t, "support", claimsOf(t, refreshed.GetAccessToken())["braid_op"], "a session grows into a role")
	login := h.signIn("ada@example.com")
	require.Equal(t, "support", claimsOf(t, login.GetAccessToken())["braid_op"])
	h.clock.Advance(time.Minute)
	raised, err := h.stepUpByPassword(login.GetAccessToken(), goodPassword)
	require.NoError(t, err)
	require.Equal(t, "support", claimsOf(t, raised.GetAccessToken())["braid_op"])

	phone, _ := h.secure(login.GetAccessToken())
	raised, err = h.stepUpByCode(login.GetAccessToken(), phone.code(0))
	require.NoError(t, err)
	require.Equal(t, "support", claimsOf(t, raised.GetAccessToken())["braid_op"])
	h.clock.Advance(30 * time.Second)
	answered, err := h.answer(h.challenge("ada@example.com"), phone.code(0))
	require.NoError(t, err)
	require.Equal(t, "support", claimsOf(t, answered.GetAccessToken())["braid_op"])
	require.NotContains(t, claimsOf(t, h.signIn(ben.GetEmail()).GetAccessToken()), "braid_op", "the role is one person's")
}

package identity_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
)

func TestRefreshRotates(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	token := h.signIn("ada@example.com").GetRefreshToken()
	seen := map[string]bool{token: true}
	for range 5 {
		h.clock.Advance(9 * time.Minute)
		response, err := h.refresh(token)
		require.NoError(t, err)
		require.True(t, h.active(response.GetAccessToken()))
		require.EqualValues(t, 600, response.GetExpiresIn())
		token = response.GetRefreshToken()
		require.False(t, seen[token])
		seen[token] = true
	}
	require.Equal(t, 1, h.count(`select count(*) from refresh_token where sealed_answer is not null`),
		"only the answer to the last use is kept")
}

func TestRetryWithinTenSecondsGetsTheSameAnswer(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	token := h.signIn("ada@example.com").GetRefreshToken()
	first, err := h.refresh(token)
	require.NoError(t, err)
	h.clock.Advance(9 * time.Second)
	again, err := h.refresh(token)
	require.NoError(t, err)
	require.Equal(t, first.GetAccessToken(), again.GetAccessToken())
	require.Equal(t, first.GetRefreshToken(), again.GetRefreshToken())
	_, err = h.refresh(again.GetRefreshToken())
	require.NoError(t, err)
}

func TestReuseEndsTheSession(t *testing.T) {
	t.Parallel()
	cases := map[string]func(h *harness, used, next string){
		"after ten seconds": func(h *harness, _, _ string) { h.clock.Advance(10 * time.Second) },
		"after the new one was used": func(h *harness, _, next string) {
			_, err := h.refresh(next)
			require.NoError(h.t, err)
		},
		"after the answer was wiped": func(h *harness, _, _ string) {
			_, err := h.database.Admin.Exec(h.t.Context(), `update refresh_token set sealed_answer = null`)
			require.NoError(h.t, err)
		},
	}
	for name, between := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			h.signUp("ada@example.com")
			other := h.signIn("ada@example.com")
			token := h.signIn("ada@example.com").GetRefreshToken()
			first, err := h.refresh(token)
			require.NoError(t, err)
			between(h, token, first.GetRefreshToken())

			_, err = h.refresh(token)
			require.Equal(t, "REFRESH_TOKEN_INVALID", reasonOf(t, err))
			require.False(t, h.active(first.GetAccessToken()), "the session has ended")
			_, err = h.me(first.GetAccessToken()).GetMe(t.Context(), &identityv1.GetMeRequest{})
			require.Equal(t, "TOKEN_INVALID", reasonOf(t, err), "and at once in this process")
			_, err = h.refresh(first.GetRefreshToken())
			require.Equal(t, "REFRESH_TOKEN_INVALID", reasonOf(t, err), "and so has the whole family")
			require.True(t, h.active(other.GetAccessToken()), "other sessions go on")
			events := h.events()
			revoked, ok := events[len(events)-1].message.(*identityv1.SessionRevoked)
			require.True(t, ok)
			require.Equal(t, identityv1.SessionRevoked_REFRESH_TOKEN_REUSED, revoked.GetReason())
			require.Equal(t, 1, h.count(`select count(*) from outbox where type = 'identity.session.revoked'`))
		})
	}
}

func TestRefreshAtOnceGetsOneAnswer(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	token := h.signIn("ada@example.com").GetRefreshToken()
	for range 5 {
		var group sync.WaitGroup
		answers := make([]*identityv1.RefreshResponse, 8)
		failures := make([]error, len(answers))
		for i := range answers {
			group.Go(func() { answers[i], failures[i] = h.refresh(token) })
		}
		group.Wait()
		for i, answer := range answers {
			require.NoError(t, failures[i])
			require.Equal(t, answers[0].GetRefreshToken(), answer.GetRefreshToken())
			require.Equal(t, answers[0].GetAccessToken(), answer.GetAccessToken())
		}
		token = answers[0].GetRefreshToken()
	}
	require.Equal(t, 6, h.count(`select count(*) from refresh_token`))
	require.Zero(t, h.count(`select count(*) from outbox where type = 'identity.session.revoked'`))
}

func TestRefreshAndLogoutAtOnceLeaveNoSession(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	for range 10 {
		login := h.signIn("ada@example.com")
		var refreshed *identityv1.RefreshResponse
		var refreshErr, logoutErr error
		var group sync.WaitGroup
		group.Go(func() { refreshed, refreshErr = h.refresh(login.GetRefreshToken()) })
		group.Go(func() {
			_, logoutErr = h.authAs(login.GetAccessToken()).Logout(t.Context(), &identityv1.LogoutRequest{})
		})
		group.Wait()
		require.NoError(t, logoutErr)
		if refreshErr != nil {
			require.Equal(t, "REFRESH_TOKEN_INVALID", reasonOf(t, refreshErr))
		} else {
			_, err := h.refresh(refreshed.GetRefreshToken())
			require.Equal(t, "REFRESH_TOKEN_INVALID", reasonOf(t, err))
			require.False(t, h.active(refreshed.GetAccessToken()))
		}
	}
	require.Zero(t, h.count(`select count(*) from session`))
	require.Zero(t, h.count(`select count(*) from refresh_token`))
}

func TestIdleSessionEndsAndUseExtendsIt(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	used, idle := h.signIn("ada@example.com").GetRefreshToken(), h.signIn("ada@example.com").GetRefreshToken()
	for range 3 {
		h.clock.Advance(29 * 24 * time.Hour)
		response, err := h.refresh(used)
		require.NoError(t, err)
		used = response.GetRefreshToken()
	}
	_, err := h.refresh(idle)
	require.Equal(t, "REFRESH_TOKEN_INVALID", reasonOf(t, err))
	require.Zero(t, h.count(`select count(*) from outbox where type = 'identity.session.revoked'`), "to expire is not to be revoked")
}

func TestUnknownRefreshTokens(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for _, token := range []string{"x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		_, err := h.refresh(token)
		require.Equal(t, "REFRESH_TOKEN_INVALID", reasonOf(t, err))
	}
}

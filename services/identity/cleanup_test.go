package identity_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/services/identity/internal/app"
)

func TestCleanupRemovesOnlyWhatIsOver(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	cleanup := app.NewCleanup(&app.App{DB: h.database.DB, Clock: h.clock}, prometheus.NewRegistry())
	h.signUp("ada@example.com")
	h.signIn("ada@example.com")
	kept := h.signIn("ada@example.com")
	h.register("ben@example.com", goodPassword)
	refreshed, err := h.refresh(kept.GetRefreshToken())
	require.NoError(t, err)
	state := func() []int {
		return []int{
			h.count(`select count(*) from registration`), h.count(`select count(*) from session`),
			h.count(`select count(*) from refresh_token`), h.count(`select count(*) from refresh_token where sealed_answer is not null`),
		}
	}
	require.Equal(t, []int{1, 2, 3, 1}, state())
	h.clock.Advance(9 * time.Second)
	require.NoError(t, cleanup.Once(t.Context()))
	require.Equal(t, []int{1, 2, 3, 1}, state(), "nothing is over yet")
	h.clock.Advance(time.Second)
	require.NoError(t, cleanup.Once(t.Context()))
	require.Equal(t, []int{1, 2, 3, 0}, state(), "the answer can't be asked for again")
	h.clock.Advance(15 * time.Minute)
	require.NoError(t, cleanup.Once(t.Context()))
	require.Equal(t, []int{1, 2, 3, 0}, state(), "who follows an old link is told that it is old")
	h.clock.Advance(24 * time.Hour)
	require.NoError(t, cleanup.Once(t.Context()))
	require.Equal(t, []int{0, 2, 3, 0}, state())
	h.clock.Advance(28 * 24 * time.Hour)
	refreshed, err = h.refresh(refreshed.GetRefreshToken())
	require.NoError(t, err)
	h.clock.Advance(24 * time.Hour)
	require.NoError(t, cleanup.Once(t.Context()))
	require.Equal(t, []int{0, 1, 1, 0}, state(), "the session in use and its newest token stay")
	_, err = h.refresh(refreshed.GetRefreshToken())
	require.NoError(t, err)
	require.Equal(t, 1, h.count(`select count(*) from account`))
}

func TestCleanupStopsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cleanup := app.NewCleanup(&app.App{}, prometheus.NewRegistry())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- cleanup.Run(ctx) }()
		synctest.Wait()
		cancel()
		require.NoError(t, <-done)
	})
}

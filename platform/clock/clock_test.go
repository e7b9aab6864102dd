package clock_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/clock"
)

// Times are what PostgreSQL keeps: what is stored and read back must be equal to what was there before.
func TestTimesAreUTCInMicroseconds(t *testing.T) {
	t.Parallel()
	before := time.Now().Add(-time.Microsecond)
	now := clock.System{}.Now()
	require.Equal(t, time.UTC, now.Location())
	require.Zero(t, now.Nanosecond()%1000)
	require.False(t, now.Before(before))
	require.False(t, now.After(time.Now()))

	elsewhere := time.FixedZone("elsewhere", 3600)
	manual := clock.NewManual(time.Date(2030, 1, 1, 1, 0, 0, 1999, elsewhere))
	require.Equal(t, time.Date(2030, 1, 1, 0, 0, 0, 1000, time.UTC), manual.Now())
}

func TestManualMovesOnlyWhenTold(t *testing.T) {
	t.Parallel()
	manual := clock.NewManual(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	require.Equal(t, manual.Now(), manual.Now())
	manual.Advance(time.Hour)
	require.Equal(t, time.Date(2030, 1, 1, 1, 0, 0, 0, time.UTC), manual.Now())
}

func TestSleepEndsWithItsTimeOrItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		require.NoError(t, clock.Sleep(t.Context(), time.Hour))
		require.Equal(t, time.Hour, time.Since(began))

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began = time.Now()
		require.ErrorIs(t, clock.Sleep(ctx, time.Hour), context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(began))
	})
}

package gateway

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
)

var someTime = time.Date(2026, 9, 1, 9, 30, 0, 0, time.UTC)

func TestCellNeverAllowsMoreThanItsRate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		perMinute := rapid.IntRange(1, 500).Draw(t, "perMinute")
		pauses := rapid.SliceOfN(rapid.Int64Range(0, int64(20*time.Second)), 1, 400).Draw(t, "pauses")
		now, arrival := someTime, time.Time{}
		interval := time.Minute / time.Duration(perMinute)
		var allowed []time.Time
		for _, pause := range pauses {
			now = now.Add(time.Duration(pause))
			next, outcome := cell(now, arrival, perMinute)
			if outcome.allowed {
				allowed = append(allowed, now)
			} else {
				require.Equal(t, arrival, next, "a refusal costs nothing")
			}
			arrival = next
			require.GreaterOrEqual(t, outcome.remaining, 0)
			require.Less(t, outcome.remaining, perMinute)
			require.LessOrEqual(t, outcome.reset, time.Minute)
			require.Equal(t, !outcome.allowed, outcome.retryAfter > 0)
		}
		for i := range allowed {
			for j := i; j < len(allowed); j++ {
				// A whole budget at once, and what has come back meanwhile.
				most := perMinute + int(allowed[j].Sub(allowed[i])/interval)
				require.LessOrEqual(t, j-i+1, most)
			}
		}
	})
}

func TestCellSaysExactlyWhenToComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		perMinute := rapid.IntRange(1, 500).Draw(t, "perMinute")
		arrival := time.Time{}
		now := someTime
		var outcome spent
		for range perMinute + 1 {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(time.Millisecond)).Draw(t, "pause")))
			arrival, outcome = cell(now, arrival, perMinute)
		}
		for outcome.allowed {
			arrival, outcome = cell(now, arrival, perMinute)
		}
		_, early := cell(now.Add(outcome.retryAfter-1), arrival, perMinute)
		require.False(t, early.allowed)
		_, punctual := cell(now.Add(outcome.retryAfter), arrival, perMinute)
		require.True(t, punctual.allowed)
	})
}

func TestCellServesSteadyCallersForever(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		perMinute := rapid.IntRange(1, 500).Draw(t, "perMinute")
		interval := time.Minute / time.Duration(perMinute)
		now, arrival := someTime, time.Time{}
		for range 3 * perMinute {
			next, outcome := cell(now, arrival, perMinute)
			require.True(t, outcome.allowed)
			arrival, now = next, now.Add(interval)
		}
	})
}

// testLimiter is what every limiter must do, wherever it keeps its budgets. It runs on the limiter's own clock.
func testLimiter(t *testing.T, limiter limiter) {
	t.Helper()
	newKey := func() string { return "test:" + id.New().String() }

	t.Run("a budget is spent, then refused with the time to come back", func(t *testing.T) {
		key := newKey()
		for want := 2; want >= 0; want-- {
			outcome, err := limiter.take(t.Context(), key, 3)
			require.NoError(t, err)
			require.True(t, outcome.allowed)
			require.Equal(t, want, outcome.remaining)
			require.InDelta(t, time.Duration(3-want)*20*time.Second, outcome.reset, float64(time.Second))
			require.Zero(t, outcome.retryAfter)
		}
		for range 3 {
			outcome, err := limiter.take(t.Context(), key, 3)
			require.NoError(t, err)
			require.False(t, outcome.allowed)
			require.Zero(t, outcome.remaining)
			require.InDelta(t, 20*time.Second, outcome.retryAfter, float64(time.Second), "a refusal costs nothing")
			require.InDelta(t, time.Minute, outcome.reset, float64(time.Second))
		}
		other, err := limiter.take(t.Context(), newKey(), 3)
		require.NoError(t, err)
		require.True(t, other.allowed, "another key has a budget of its own")
	})

	t.Run("a budget comes back", func(t *testing.T) {
		key := newKey()
		const perMinute = 1200
		refused := false
		for range 2 * perMinute {
			outcome, err := limiter.take(t.Context(), key, perMinute)
			require.NoError(t, err)
			if refused = !outcome.allowed; refused {
				break
			}
		}
		require.True(t, refused)
		require.Eventually(t, func() bool {
			outcome, err := limiter.take(t.Context(), key, perMinute)
			return err == nil && outcome.allowed
		}, 5*time.Second, 10*time.Millisecond)
	})

	t.Run("many at once spend it once", func(t *testing.T) {
		key := newKey()
		var allowed atomic.Int64
		var group sync.WaitGroup
		for range 40 {
			group.Go(func() {
				if outcome, err := limiter.take(context.WithoutCancel(t.Context()), key, 10); err == nil && outcome.allowed {
					allowed.Add(1)
				}
			})
		}
		group.Wait()
		require.EqualValues(t, 10, allowed.Load())
	})
}

func TestMemoryLimiter(t *testing.T) {
	t.Parallel()
	limiter, err := newMemoryLimiter(clock.System{})
	require.NoError(t, err)
	t.Cleanup(limiter.close)
	testLimiter(t, limiter)
}

func TestMemoryLimiterFollowsItsClock(t *testing.T) {
	t.Parallel()
	hands := clock.NewManual(someTime)
	limiter, err := newMemoryLimiter(hands)
	require.NoError(t, err)
	t.Cleanup(limiter.close)
	take := func() spent {
		outcome, err := limiter.take(t.Context(), "key", 2)
		require.NoError(t, err)
		return outcome
	}
	require.True(t, take().allowed)
	require.True(t, take().allowed)
	require.Equal(t, 30*time.Second, take().retryAfter)
	hands.Advance(30*time.Second - 1)
	require.False(t, take().allowed)
	hands.Advance(1)
	require.True(t, take().allowed)
	require.False(t, take().allowed)
}

func TestRateHeadersAreWholeSecondsRoundedUp(t *testing.T) {
	t.Parallel()
	header := http.Header{}
	spent{remaining: 7, reset: 1001 * time.Millisecond}.writeHeaders(header, 60)
	require.Equal(t, []string{"60", "7", "2"}, []string{
		header.Get("RateLimit-Limit"), header.Get("RateLimit-Remaining"), header.Get("RateLimit-Reset"),
	})
}

func TestBudgetsOfAddresses(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{}
	for i := range 100 {
		keys[budgetKey("address", netip.MustParseAddr("2001:db8:0:1::"+strconv.FormatInt(int64(i+1), 16)))] = true
	}
	require.Len(t, keys, 1, "a client can take any address of its /64")
	require.NotEqual(t, budgetKey("address", netip.MustParseAddr("2001:db8:0:1::1")), budgetKey("address", netip.MustParseAddr("2001:db8:0:2::1")))
	require.NotEqual(t, budgetKey("address", netip.MustParseAddr("203.0.113.7")), budgetKey("address", netip.MustParseAddr("203.0.113.8")))
	require.NotEqual(t, budgetKey("address", netip.MustParseAddr("203.0.113.7")), budgetKey("auth", netip.MustParseAddr("203.0.113.7")))
}

package gateway

import (
	"bufio"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
)

// redisURL leads to a real Redis: the one named, else one of the system's own that ends with the test.
func redisURL(t *testing.T) string {
	t.Helper()
	if url := os.Getenv("BRAID_TEST_REDIS_URL"); url != "" {
		return url
	}
	url, _ := startRedis(t, filepath.Join(t.TempDir(), "redis.sock"))
	return url
}

// startRedis starts a Redis on a socket and returns its address and what ends it.
func startRedis(t *testing.T, socket string) (url string, stop func()) {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("no redis-server here and no BRAID_TEST_REDIS_URL")
	}
	command := exec.CommandContext(t.Context(), program, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no",
		"--dir", filepath.Dir(socket))
	require.NoError(t, command.Start())
	stop = func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}
	t.Cleanup(stop)
	require.Eventually(t, func() bool { return answersPing(socket) }, 10*time.Second, 10*time.Millisecond)
	return "unix://" + socket, stop
}

func answersPing(socket string) bool {
	connection, err := net.Dial("unix", socket)
	if err != nil {
		return false
	}
	defer func() { _ = connection.Close() }()
	_ = connection.SetDeadline(time.Now().Add(time.Second))
	if _, err := connection.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	line, err := bufio.NewReader(connection).ReadString('\n')
	return err == nil && line == "+PONG\r\n"
}

func newTestRedisLimiter(t *testing.T, url string, hands clock.Clock) *redisLimiter {
	t.Helper()
	memory, err := newMemoryLimiter(hands)
	require.NoError(t, err)
	t.Cleanup(memory.close)
	limiter, err := newRedisLimiter(url, memory, hands, prometheus.NewRegistry(), slog.New(slog.NewTextHandler(t.Output(), nil)))
	require.NoError(t, err)
	t.Cleanup(limiter.close)
	return limiter
}

func TestRedisLimiter(t *testing.T) {
	t.Parallel()
	limiter := newTestRedisLimiter(t, redisURL(t), clock.System{})
	testLimiter(t, limiter)
	require.Zero(t, testutil.ToFloat64(limiter.failures), "Redis itself did the counting")
}

func TestRedisLimiterIsSharedBetweenGateways(t *testing.T) {
	t.Parallel()
	url := redisURL(t)
	one, other := newTestRedisLimiter(t, url, clock.System{}), newTestRedisLimiter(t, url, clock.System{})
	key := "test:" + id.New().String()
	for range 2 {
		for _, limiter := range []*redisLimiter{one, other} {
			outcome, err := limiter.take(t.Context(), key, 4)
			require.NoError(t, err)
			require.True(t, outcome.allowed)
		}
	}
	outcome, err := other.take(t.Context(), key, 4)
	require.NoError(t, err)
	require.False(t, outcome.allowed, "the other gateway's requests count")
}

func TestRedisLimiterCountsAloneWhileRedisIsGone(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "redis.sock")
	_, stop := startRedis(t, socket)
	hands := clock.NewManual(someTime)
	limiter := newTestRedisLimiter(t, "unix://"+socket, hands)
	take := func() spent {
		outcome, err := limiter.take(t.Context(), "key", 2)
		require.NoError(t, err)
		return outcome
	}
	require.True(t, take().allowed)
	require.Zero(t, testutil.ToFloat64(limiter.failures))

	stop()
	require.True(t, take().allowed)
	require.True(t, take().allowed)
	require.False(t, take().allowed, "the gateway's own budget holds")
	require.InDelta(t, 3, testutil.ToFloat64(limiter.failures), 0)

	require.NoError(t, os.RemoveAll(socket))
	_, _ = startRedis(t, socket)
	// The budget was lost with Redis: two are free again. It is asked again once the pause is over.
	require.Eventually(t, func() bool {
		hands.Advance(redisPause)
		before := testutil.ToFloat64(limiter.failures)
		_ = take()
		return testutil.ToFloat64(limiter.failures) == before
	}, 10*time.Second, 20*time.Millisecond)
}

func TestRedisLimiterStartsWithoutRedis(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "redis.sock")
	hands := clock.NewManual(someTime)
	limiter := newTestRedisLimiter(t, "unix://"+socket, hands)
	outcome, err := limiter.take(t.Context(), "key", 2)
	require.NoError(t, err)
	require.True(t, outcome.allowed)
	require.InDelta(t, 1, testutil.ToFloat64(limiter.failures), 0)

	_, _ = startRedis(t, socket)
	_, err = limiter.take(t.Context(), "key", 2)
	require.NoError(t, err)
	require.InDelta(t, 2, testutil.ToFloat64(limiter.failures), 0, "left alone during the pause")
	hands.Advance(redisPause)
	outcome, err = limiter.take(t.Context(), "key", 2)
	require.NoError(t, err)
	require.Equal(t, 1, outcome.remaining, "Redis counts from the start")
	require.InDelta(t, 2, testutil.ToFloat64(limiter.failures), 0)
}

func TestRedisURLIsNotRepeated(t *testing.T) {
	t.Parallel()
	_, err := newRedisLimiter("redis://user:canary-secret@:bad:port", nil, clock.System{}, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	require.Error(t, err)
	require.NotContains(t, err.Error(), "canary-secret")
}

package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/redis/rueidis"

	"github.com/braidhq/braid/platform/clock"
)

// takeScript is the same algorithm as cell, run where the budget is. Times are microseconds of the server's clock, so
// that gateways with different clocks share one budget.
const takeScript = `
local now = redis.call('TIME')
now = now[1] * 1000000 + now[2]
local interval = tonumber(ARGV[1])
local window = 60000000
local arrival = tonumber(redis.call('GET', KEYS[1]) or now)
if arrival < now then arrival = now end
local next = arrival + interval
local over = next - now - window
if over > 0 then return {0, 0, over, arrival - now} end
redis.call('SET', KEYS[1], string.format('%d', next), 'PX', math.ceil((next - now) / 1000) + 1000)
return {1, math.floor(-over / interval), 0, next - now}
`

const (
	redisTimeout = 200 * time.Millisecond
	// redisPause is how long Redis is left alone after a failure: a Redis that hangs must not slow every request.
	redisPause = time.Second
)

var errRedisPaused = errors.New("left alone after a failure")

// redisLimiter shares budgets between gateways. When Redis can't be reached, from the start or later, each gateway
// counts for itself: limits protect against load, so they fail open, and a metric says so.
type redisLimiter struct {
	options  rueidis.ClientOption
	script   *rueidis.Lua
	fallback limiter
	clock    clock.Clock
	failures prometheus.Counter
	logger   *slog.Logger

	// client is nil until Redis was reached once. pausedUntil is a Unix time in nanoseconds.
	client      atomic.Pointer[rueidis.Client]
	pausedUntil atomic.Int64

	// connecting guards closed and is held by the one request that connects.
	connecting sync.Mutex
	closed     bool
}

// CheckRedisURL returns what is wrong with the address of a Redis server, as the end of a sentence that begins with it.
func CheckRedisURL(url string) error {
	_, err := parseRedisURL(url)
	return err
}

func parseRedisURL(url string) (rueidis.ClientOption, error) {
	options, err := rueidis.ParseURL(url)
	if err != nil {
		// The error repeats the URL, which may hold a password.
		return rueidis.ClientOption{}, errors.New("is no address such as redis://10.0.0.7:6379")
	}
	return options, nil
}

func newRedisLimiter(url string, fallback limiter, clock clock.Clock, registerer prometheus.Registerer, logger *slog.Logger) (*redisLimiter, error) {
	options, err := parseRedisURL(url)
	if err != nil {
		return nil, fmt.Errorf("redis.url %w", err)
	}
	options.DisableCache = true
	options.ForceSingleClient = true
	options.Dialer.Timeout = redisTimeout
	failures := promauto.With(registerer).NewCounter(prometheus.CounterOpts{
		Name: "braid_gateway_shared_limit_failures_total",
		Help: "Requests whose budget could not be read from Redis and was counted by this gateway alone.",
	})
	return &redisLimiter{
		options: options, script: rueidis.NewLuaScript(takeScript), fallback: fallback, clock: clock, failures: failures, logger: logger,
	}, nil
}

func (r *redisLimiter) take(ctx context.Context, key string, perMinute int) (spent, error) {
	outcome, err := r.takeShared(ctx, key, perMinute)
	if err == nil {
		return outcome, nil
	}
	r.failures.Inc()
	if !errors.Is(err, errRedisPaused) && ctx.Err() == nil {
		r.pause()
		r.logger.WarnContext(ctx, "shared limits not read, counting alone", slog.String("cause", err.Error()))
	}
	return r.fallback.take(ctx, key, perMinute)
}

func (r *redisLimiter) takeShared(ctx context.Context, key string, perMinute int) (spent, error) {
	client, err := r.connect()
	if err != nil {
		return spent{}, err
	}
	bounded, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	interval := time.Minute.Microseconds() / int64(perMinute)
	answer, err := r.script.Exec(bounded, client, []string{"braid:limit:" + key}, []string{strconv.FormatInt(interval, 10)}).AsIntSlice()
	if err != nil {
		return spent{}, err
	}
	if len(answer) != 4 {
		return spent{}, fmt.Errorf("the script answered %d values", len(answer))
	}
	return spent{
		allowed:    answer[0] == 1,
		remaining:  int(answer[1]),
		retryAfter: time.Duration(answer[2]) * time.Microsecond,
		reset:      time.Duration(answer[3]) * time.Microsecond,
	}, nil
}

// connect returns the client, making it when there is none yet. Requests that come while one of them connects do not
// wait for it.
func (r *redisLimiter) connect() (rueidis.Client, error) {
	if r.clock.Now().UnixNano() < r.pausedUntil.Load() {
		return nil, errRedisPaused
	}
	if client := r.client.Load(); client != nil {
		return *client, nil
	}
	if !r.connecting.TryLock() {
		return nil, errRedisPaused
	}
	defer r.connecting.Unlock()
	if client := r.client.Load(); client != nil {
		return *client, nil
	}
	if r.closed {
		return nil, errRedisPaused
	}
	client, err := rueidis.NewClient(r.options)
	if err != nil {
		return nil, fmt.Errorf("connect to Redis: %w", err)
	}
	r.client.Store(&client)
	return client, nil
}

func (r *redisLimiter) pause() { r.pausedUntil.Store(r.clock.Now().Add(redisPause).UnixNano()) }

func (r *redisLimiter) close() {
	r.connecting.Lock()
	defer r.connecting.Unlock()
	r.closed = true
	if client := r.client.Load(); client != nil {
		(*client).Close()
	}
}

package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/rueidis"
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

const redisTimeout = 200 * time.Millisecond

// redisLimiter shares budgets between gateways. When Redis can't be reached each gateway counts for itself: limits
// protect against load, so they fail open, and a metric says so.
type redisLimiter struct {
	client   rueidis.Client
	script   *rueidis.Lua
	fallback limiter
	failures prometheus.Counter
	logger   *slog.Logger
}

func newRedisLimiter(url string, fallback limiter, registerer prometheus.Registerer, logger *slog.Logger) (*redisLimiter, error) {
	options, err := rueidis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("read redis_url: %w", err)
	}
	options.DisableCache = true
	options.ForceSingleClient = true
	client, err := rueidis.NewClient(options)
	if err != nil {
		return nil, fmt.Errorf("connect to Redis: %w", err)
	}
	failures := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "braid_gateway_shared_limit_failures_total",
		Help: "Requests whose budget could not be read from Redis and was counted by this gateway alone.",
	})
	if err := registerer.Register(failures); err != nil {
		client.Close()
		return nil, fmt.Errorf("register metric: %w", err)
	}
	return &redisLimiter{client: client, script: rueidis.NewLuaScript(takeScript), fallback: fallback, failures: failures, logger: logger}, nil
}

func (r *redisLimiter) take(ctx context.Context, key string, perMinute int) (spent, error) {
	bounded, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	interval := time.Minute.Microseconds() / int64(perMinute)
	answer, err := r.script.Exec(bounded, r.client, []string{"braid:limit:" + key}, []string{strconv.FormatInt(interval, 10)}).AsIntSlice()
	if err != nil || len(answer) != 4 {
		r.failures.Inc()
		r.logger.DebugContext(ctx, "shared limit not read", slog.Any("cause", err))
		return r.fallback.take(ctx, key, perMinute)
	}
	return spent{
		allowed:    answer[0] == 1,
		remaining:  int(answer[1]),
		retryAfter: time.Duration(answer[2]) * time.Microsecond,
		reset:      time.Duration(answer[3]) * time.Microsecond,
	}, nil
}

func (r *redisLimiter) close() { r.client.Close() }

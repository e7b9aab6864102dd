package gateway

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/braidhq/braid/platform/clock"
)

// A limiter spends from a budget that refills evenly: the generic cell rate algorithm, with one time per key. It is an
// interface because the budget may be shared between gateways (Redis).
type limiter interface {
	// take spends one of perMinute for key and says what is left.
	take(ctx context.Context, key string, perMinute int) (spent, error)
}

// spent is what one request did to its budget.
type spent struct {
	allowed    bool
	remaining  int
	retryAfter time.Duration
	// reset is when the whole budget is back.
	reset time.Duration
}

// cell computes one step of the algorithm: arrival is the theoretical arrival time kept for the key (zero for none).
func cell(now, arrival time.Time, perMinute int) (next time.Time, outcome spent) {
	interval := time.Minute / time.Duration(perMinute)
	if arrival.Before(now) {
		arrival = now
	}
	next = arrival.Add(interval)
	over := next.Sub(now) - time.Minute
	if over > 0 {
		return arrival, spent{retryAfter: over, reset: arrival.Sub(now)}
	}
	return next, spent{allowed: true, remaining: int(-over / interval), reset: next.Sub(now)}
}

const (
	maxBudgets   = 200_000
	budgetShards = 64
)

// memoryLimiter keeps the budgets of one process.
type memoryLimiter struct {
	clock   clock.Clock
	budgets *otter.Cache[string, time.Time]
	locks   [budgetShards]sync.Mutex
}

func newMemoryLimiter(clock clock.Clock) (*memoryLimiter, error) {
	budgets, err := otter.New(&otter.Options[string, time.Time]{
		MaximumSize:      maxBudgets,
		ExpiryCalculator: otter.ExpiryWriting[string, time.Time](2 * time.Minute),
	})
	if err != nil {
		return nil, fmt.Errorf("make budgets: %w", err)
	}
	return &memoryLimiter{clock: clock, budgets: budgets}, nil
}

func (m *memoryLimiter) take(_ context.Context, key string, perMinute int) (spent, error) {
	lock := &m.locks[hashKey(key)%budgetShards]
	lock.Lock()
	defer lock.Unlock()
	arrival, _ := m.budgets.GetIfPresent(key)
	next, outcome := cell(m.clock.Now(), arrival, perMinute)
	if outcome.allowed {
		m.budgets.Set(key, next)
	}
	return outcome, nil
}

// close ends what removes budgets that are whole again.
func (m *memoryLimiter) close() { m.budgets.StopAllGoroutines() }

// budgetKey names the budget of an address. With IPv6 a client has a whole /64 to itself, so that is what counts.
func budgetKey(kind string, client netip.Addr) string {
	if client.Is6() {
		if network, err := client.Prefix(64); err == nil {
			return kind + ":" + network.String()
		}
	}
	return kind + ":" + client.String()
}

// hashKey is FNV-1a: the keys are spread over locks by it, nothing else.
func hashKey(key string) uint32 {
	hash := uint32(2166136261)
	for i := range len(key) {
		hash = (hash ^ uint32(key[i])) * 16777619
	}
	return hash
}

// writeHeaders tells the client where it stands.
func (s spent) writeHeaders(header http.Header, perMinute int) {
	// The names in the form that net/http keeps them in, which differs from the one in the standard only in case.
	values := []string{strconv.Itoa(perMinute), strconv.Itoa(s.remaining), strconv.Itoa(int((s.reset + time.Second - 1) / time.Second))}
	header["Ratelimit-Limit"], header["Ratelimit-Remaining"], header["Ratelimit-Reset"] = values[0:1:1], values[1:2:2], values[2:3:3]
}

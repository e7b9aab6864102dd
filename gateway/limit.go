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
	maxBudgets = 200_000
	// A budget is whole again after a minute; the cache forgets it budgetLife after it was told of its last use.
	budgetLife = 2 * time.Minute
	tellEvery  = budgetLife / 4
)

// memoryLimiter keeps the budgets of one process.
type memoryLimiter struct {
	clock   clock.Clock
	budgets *otter.Cache[string, *budget]
}

// budget is one key's arrival time. It is changed in place: what the cache is told is only that the key is in use, and
// that no more often than it has to know.
type budget struct {
	mu      sync.Mutex
	arrival time.Time
	told    time.Time
}

func newMemoryLimiter(clock clock.Clock) (*memoryLimiter, error) {
	budgets, err := otter.New(&otter.Options[string, *budget]{
		MaximumSize:      maxBudgets,
		ExpiryCalculator: otter.ExpiryWriting[string, *budget](budgetLife),
	})
	if err != nil {
		return nil, fmt.Errorf("make budgets: %w", err)
	}
	return &memoryLimiter{clock: clock, budgets: budgets}, nil
}

func (m *memoryLimiter) take(_ context.Context, key string, perMinute int) (spent, error) {
	known, ok := m.budgets.GetIfPresent(key)
	if !ok {
		// Of two at once one makes the budget and both spend from it.
		known, _ = m.budgets.SetIfAbsent(key, &budget{told: m.clock.Now()})
	}
	known.mu.Lock()
	defer known.mu.Unlock()
	now := m.clock.Now()
	var outcome spent
	known.arrival, outcome = cell(now, known.arrival, perMinute)
	if now.Sub(known.told) > tellEvery {
		known.told = now
		m.budgets.Set(key, known)
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

// writeHeaders tells the client where it stands.
func (s spent) writeHeaders(header http.Header, perMinute int) {
	// The names in the form that net/http keeps them in, which differs from the one in the standard only in case.
	values := []string{strconv.Itoa(perMinute), strconv.Itoa(s.remaining), strconv.Itoa(int((s.reset + time.Second - 1) / time.Second))}
	header["Ratelimit-Limit"], header["Ratelimit-Remaining"], header["Ratelimit-Reset"] = values[0:1:1], values[1:2:2], values[2:3:3]
}

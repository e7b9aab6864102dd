// Package clock hands out the time, so that tests can hold it still. All times are UTC.
package clock

import (
	"context"
	"sync"
	"time"
)

// Clock tells the time. It is an interface because the real clock is a boundary of the system.
type Clock interface {
	// Now returns the current time in UTC, cut to microseconds: what PostgreSQL keeps.
	Now() time.Time
}

// System is the machine's clock.
type System struct{}

// Now implements Clock.
func (System) Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// Sleep waits for d, or less when ctx ends first; then it returns ctx's error. It is no method of Clock: backoff and
// pacing spare real resources in real time, also where a test holds the hours still. Tests of waits use synctest.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Manual is a clock that moves only when told to; safe for use by several goroutines.
type Manual struct {
	mu  sync.Mutex
	now time.Time
}

// NewManual returns a clock that stands at start.
func NewManual(start time.Time) *Manual {
	return &Manual{now: start.UTC().Truncate(time.Microsecond)}
}

// Now implements Clock.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// Advance moves the clock by step.
func (m *Manual) Advance(step time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(step)
}

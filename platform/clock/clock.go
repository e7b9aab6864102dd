// Package clock hands out the time, so that tests can hold it still. All times are UTC.
package clock

import (
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

package bus

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/braidhq/braid/platform/clock"
)

// Backoff returns how long to wait before try number attempt (1 is the first retry): doubling from base up to limit,
// of which a random half is taken off, so that many waiting processes do not come back at once.
func Backoff(attempt int, base, limit time.Duration) time.Duration {
	wait := limit
	if shift := max(attempt-1, 0); shift < 30 && base<<shift < limit {
		wait = base << shift
	}
	return wait/2 + rand.N(wait/2+1)
}

// WithGrace returns a context that outlives ctx by grace, so that what is in hand when the process is told to stop can be
// finished. It keeps ctx's values but not its deadline. The returned function ends it at once and must be called.
func WithGrace(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	graced, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		_ = clock.Sleep(graced, grace)
		cancel()
	})
	return graced, func() {
		stop()
		cancel()
	}
}

func retryBackoff(attempt int) time.Duration {
	return Backoff(attempt, 50*time.Millisecond, 2*time.Second)
}

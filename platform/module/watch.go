package module

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

const (
	// watchInterval is how old an answer may become, watchTimeout how long one may take.
	watchInterval = time.Second
	watchTimeout  = time.Second
)

var errNotAsked = errors.New("it was not asked yet")

// Watched returns a part that is ready as long as check, asked about once a second and for at most a second, has last
// found nothing wrong. Whoever wants to know gets the answer that was kept: many probes are no load on what is watched,
// and none hangs with it.
func Watched(name string, check func(ctx context.Context) error) Part {
	watched := &watched{check: check}
	watched.last.Store(&errNotAsked)
	return Part{Name: name, Run: watched.run, Ready: func() error { return *watched.last.Load() }}
}

type watched struct {
	check func(ctx context.Context) error
	last  atomic.Pointer[error]
}

func (w *watched) run(ctx context.Context) error {
	next := time.NewTicker(watchInterval)
	defer next.Stop()
	for {
		asking, cancel := context.WithTimeout(ctx, watchTimeout)
		err := w.check(asking)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		w.last.Store(&err)
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
		}
	}
}

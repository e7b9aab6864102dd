package authz

import (
	"context"
	"sync"
)

// flights joins questions about the same key. A caller that joins a flight under way gets an answer that may be older
// than its question, so a joined denial is asked again: whoever was added a moment ago must not be refused by a read
// that began before.
type flights struct {
	mu     sync.Mutex
	flying map[key]*flight
}

type flight struct {
	done   chan struct{}
	answer Permissions
	err    error
}

func newFlights() *flights { return &flights{flying: map[key]*flight{}} }

// do returns the answer of ask, and whether the flight was under way before this call.
func (f *flights) do(ctx context.Context, key key, ask func(context.Context) (Permissions, error)) (Permissions, bool, error) {
	f.mu.Lock()
	running, joined := f.flying[key]
	if !joined {
		running = &flight{done: make(chan struct{})}
		f.flying[key] = running
		f.mu.Unlock()
		// The flight is everybody's who joins, so one caller's going away must not end it; ask bounds its own time.
		go func() {
			defer close(running.done)
			running.answer, running.err = ask(context.WithoutCancel(ctx))
			f.forget(key, running)
		}()
	} else {
		f.mu.Unlock()
	}
	select {
	case <-running.done:
		return running.answer, joined, running.err
	case <-ctx.Done():
		return Permissions{}, joined, ctx.Err()
	}
}

// forget ends a flight for those who come later; nil means whichever there is.
func (f *flights) forget(key key, which *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if which == nil || f.flying[key] == which {
		delete(f.flying, key)
	}
}

// forgetAll ends every flight for those who come later.
func (f *flights) forgetAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.flying)
}

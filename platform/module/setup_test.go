package module

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal notes what happened, in order.
type journal struct {
	mu      sync.Mutex
	entries []string
}

func (j *journal) note(entry string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, entry)
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string(nil), j.entries...)
}

// part returns a part that notes each step of its life.
func (j *journal) part(name string, dependsOn ...string) Part {
	return Part{
		Name:      name,
		DependsOn: dependsOn,
		Start:     func(context.Context) error { j.note("start " + name); return nil },
		Run: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		},
		Drain: func(context.Context) { j.note("drain " + name) },
		Stop:  func(context.Context) error { j.note("stop " + name); return nil },
	}
}

func newManager(options Options, parts ...Part) *Manager {
	manager := New(options, slog.New(slog.DiscardHandler))
	manager.Add(parts...)
	return manager
}

// runInBackground starts the manager and returns how to end it and what Run returned.
func runInBackground(t *testing.T, manager *Manager) (end context.CancelFunc, result <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	returned := make(chan error, 1)
	go func() { returned <- manager.Run(ctx) }()
	return cancel, returned
}

package module

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// ErrStoppedNow is the cause of the contexts of parts that were cut short by StopNow.
var ErrStoppedNow = errors.New("stopped at once")

// abandonAfter is how long a hook may go on after its context has ended before the manager goes on without it.
const abandonAfter = time.Second

// Manager runs parts. It is used once: Add everything, then Run.
type Manager struct {
	options  Options
	logger   *slog.Logger
	parts    []*runner
	draining atomic.Bool
	now      chan struct{}
	nowOnce  sync.Once
}

// New returns a manager without parts.
func New(options Options, logger *slog.Logger) *Manager {
	return &Manager{options: options.withDefaults(), logger: logger, now: make(chan struct{})}
}

// Add takes parts in. It must not be called after Run or Ready; what is wrong with them is said by Validate and Run.
func (m *Manager) Add(parts ...Part) {
	for _, part := range parts {
		m.parts = append(m.parts, &runner{Part: part, logger: m.logger})
	}
}

// Validate returns everything that is wrong with the parts and their dependencies, without starting any.
func (m *Manager) Validate() error { return checkParts(m.parts) }

// Condition is how one part is.
type Condition struct {
	Part     string
	Optional bool
	// Err says why the part can't do its work; nil when it can.
	Err error
}

// Conditions returns how every part is. Once Run's context has ended none of those that the process can't serve without
// is ready, so that load balancers turn away before anything is refused.
func (m *Manager) Conditions() []Condition {
	conditions := make([]Condition, len(m.parts))
	for i, part := range m.parts {
		conditions[i] = Condition{Part: part.Name, Optional: part.Optional, Err: part.ready()}
		if conditions[i].Err == nil && !part.Optional && m.draining.Load() {
			conditions[i].Err = errDraining
		}
	}
	return conditions
}

// Ready returns the parts that keep the process from serving and why; it is empty when it can.
func (m *Manager) Ready() map[string]error {
	unready := map[string]error{}
	for _, condition := range m.Conditions() {
		if condition.Err != nil && !condition.Optional {
			unready[condition.Part] = condition.Err
		}
	}
	return unready
}

// StopNow cuts short whatever Run is doing: hooks are still called, but with contexts that have ended, and those that
// don't return soon are left behind. It may be called at any time, from any goroutine.
func (m *Manager) StopNow() { m.nowOnce.Do(func() { close(m.now) }) }

// Run starts the parts, waits until ctx ends or one of them fails, then drains and stops them all. It returns nil when
// ctx ended and everything stopped cleanly, otherwise every reason, the first failure first, each naming its part.
func (m *Manager) Run(ctx context.Context) error {
	if err := m.Validate(); err != nil {
		return err
	}
	// Parts live on after ctx has ended: until they have drained.
	base := context.WithoutCancel(ctx)
	failures := &failureList{happened: make(chan struct{})}

	m.startAll(ctx, base, failures)
	serving := failures.first() == nil && ctx.Err() == nil
	if serving {
		m.logger.InfoContext(ctx, "all parts started", slog.Int("parts", len(m.parts)))
	}
	select {
	case <-ctx.Done():
	case <-failures.happened:
		m.logger.ErrorContext(ctx, "stopping because a part failed", slog.Any("error", failures.first()))
	case <-m.now:
	}
	m.draining.Store(true)
	if serving {
		m.waitGrace(failures)
	}
	m.drainAll(ctx, base)
	m.stopAll(base, failures)
	return failures.joined()
}

func (m *Manager) startAll(ctx, base context.Context, failures *failureList) {
	startCtx, cancel := context.WithTimeoutCause(ctx, m.options.StartTimeout,
		fmt.Errorf("not started within %s", m.options.StartTimeout))
	defer cancel()
	defer onClosed(m.now, cancel)()
	defer onClosed(failures.happened, cancel)()

	left := walk(startCtx, m.parts, (*runner).dependencies, func(part *runner) {
		if startCtx.Err() != nil {
			return
		}
		err := part.start(startCtx, base, failures.add)
		if err == nil {
			return
		}
		// A start that was called off because the process is to stop, or because another part failed, is no failure
		// of its own, whatever the part makes of its context's end.
		if errors.Is(startCtx.Err(), context.Canceled) {
			m.logger.InfoContext(ctx, "start called off", slog.String("part", part.Name), slog.Any("error", err))
			return
		}
		failures.add(err)
		cancel() // before the parts behind this one see it as visited
	})
	for _, part := range left {
		failures.add(fmt.Errorf("part %q: start: abandoned: %w", part.Name, context.Cause(startCtx)))
	}
	if ctx.Err() == nil && errors.Is(startCtx.Err(), context.DeadlineExceeded) {
		failures.add(fmt.Errorf("start the parts: %w", context.Cause(startCtx)))
	}
}

// waitGrace goes on serving for a while: who sends requests has to learn first that there will be no more answers.
func (m *Manager) waitGrace(failures *failureList) {
	if m.options.Grace <= 0 || failures.first() != nil {
		return
	}
	grace := time.NewTimer(m.options.Grace)
	defer grace.Stop()
	select {
	case <-grace.C:
	case <-failures.happened:
	case <-m.now:
	}
}

func (m *Manager) drainAll(ctx, base context.Context) {
	drainCtx, cancel := context.WithTimeout(base, m.options.DrainTimeout)
	defer cancel()
	defer onClosed(m.now, cancel)()
	m.logger.InfoContext(ctx, "draining")
	walk(drainCtx, m.parts, m.dependents(), func(part *runner) { part.drain(drainCtx) })
	if drainCtx.Err() != nil {
		m.logger.WarnContext(ctx, "work in hand was cut short", slog.Duration("after", m.options.DrainTimeout))
	}
}

func (m *Manager) stopAll(base context.Context, failures *failureList) {
	stopCtx, cancelTimeout := context.WithTimeout(base, m.options.StopTimeout)
	defer cancelTimeout()
	stopCtx, cancel := context.WithCancelCause(stopCtx)
	defer cancel(nil)
	defer onClosed(m.now, func() { cancel(ErrStoppedNow) })()
	left := walk(stopCtx, m.parts, m.dependents(), func(part *runner) {
		if err := part.stop(stopCtx); err != nil {
			failures.add(err)
		}
	})
	for _, part := range left {
		failures.add(fmt.Errorf("part %q: stop: abandoned: %w", part.Name, context.Cause(stopCtx)))
	}
}

// dependents returns the reverse of dependencies.
func (m *Manager) dependents() func(*runner) []string {
	reversed := map[string][]string{}
	for _, part := range m.parts {
		for _, name := range part.DependsOn {
			reversed[name] = append(reversed[name], part.Name)
		}
	}
	return func(part *runner) []string { return reversed[part.Name] }
}

func (r *runner) dependencies() []string { return r.DependsOn }

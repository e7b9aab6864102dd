package module

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
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

// Ready returns the parts that are not ready and why; it is empty when the process can serve. Once Run's context has
// ended every part is reported, so that load balancers turn away before anything is refused.
func (m *Manager) Ready() map[string]error {
	unready := map[string]error{}
	for _, part := range m.parts {
		err := part.ready()
		if err == nil && m.draining.Load() {
			err = errDraining
		}
		if err != nil {
			unready[part.Name] = err
		}
	}
	return unready
}

// StopNow cuts short whatever Run is doing: hooks are still called, but with contexts that have ended, and those that
// don't return soon are left behind. It may be called at any time, from any goroutine.
func (m *Manager) StopNow() { m.nowOnce.Do(func() { close(m.now) }) }

// RunUntilSignal is Run until the first signal; the second one is StopNow.
func (m *Manager) RunUntilSignal(ctx context.Context, signals <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	finished, watching := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watching)
		for _, act := range []func(){cancel, m.StopNow} {
			select {
			case received := <-signals:
				m.logger.Info("signal received", slog.String("signal", received.String()))
				act()
			case <-finished:
				return
			}
		}
	}()
	err := m.Run(ctx)
	close(finished)
	<-watching
	return err
}

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
	if failures.first() == nil && ctx.Err() == nil {
		m.logger.InfoContext(ctx, "all parts started", slog.Int("parts", len(m.parts)))
	}
	select {
	case <-ctx.Done():
	case <-failures.happened:
		m.logger.ErrorContext(ctx, "stopping because a part failed", slog.Any("error", failures.first()))
	case <-m.now:
	}
	m.draining.Store(true)
	m.drainAll(ctx, base, failures)
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

func (m *Manager) drainAll(ctx, base context.Context, failures *failureList) {
	if m.options.Grace > 0 && failures.first() == nil {
		grace := time.NewTimer(m.options.Grace)
		defer grace.Stop()
		select {
		case <-grace.C:
		case <-failures.happened:
		case <-m.now:
		}
	}
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

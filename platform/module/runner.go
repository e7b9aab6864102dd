package module

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// phase is where a part is in its life. It only grows.
type phase int32

const (
	waiting phase = iota
	running
	draining
	stopped
)

// Reasons that Ready gives for parts that are not running. They are static: Ready is asked often.
var (
	errStarting = errors.New("starting")
	errDraining = errors.New("draining")
	errStopped  = errors.New("stopped")
)

// runner is a part with its state.
type runner struct {
	Part
	logger *slog.Logger
	phase  atomic.Int32

	// endRun ends Run's context; runDone is closed when Run has returned. Both are set by start and read only after
	// the phase has become running.
	endRun  context.CancelFunc
	runDone chan struct{}
}

func (r *runner) is(wanted phase) bool { return phase(r.phase.Load()) == wanted }

// start runs the Start hook and launches Run, whose unexpected end goes to fail.
func (r *runner) start(ctx, runCtx context.Context, fail func(error)) error {
	if r.Start != nil {
		if err := r.guard("start", func() error { return r.Start(ctx) }); err != nil {
			return err
		}
	}
	runCtx, r.endRun = context.WithCancel(runCtx)
	r.runDone = make(chan struct{})
	if !r.phase.CompareAndSwap(int32(waiting), int32(running)) {
		// The manager gave this start up and has passed by with its stop: nobody else will release the part.
		r.endRun()
		if r.Stop == nil {
			return nil
		}
		return r.guard("stop", func() error { return r.Stop(ctx) })
	}
	if r.Run == nil {
		close(r.runDone)
		return nil
	}
	go func() {
		defer close(r.runDone)
		err := r.guard("run", func() error { return r.Run(runCtx) })
		switch {
		case err == nil && (runCtx.Err() != nil || !r.is(running)):
		case err == nil:
			fail(fmt.Errorf("part %q: run: ended before it was told to", r.Name))
		case runCtx.Err() != nil && errors.Is(err, context.Canceled):
		default:
			fail(err)
		}
	}()
	return nil
}

func (r *runner) drain(ctx context.Context) {
	if !r.phase.CompareAndSwap(int32(running), int32(draining)) || r.Drain == nil {
		return
	}
	err := r.guard("drain", func() error {
		r.Drain(ctx)
		return nil
	})
	if err != nil {
		r.logger.ErrorContext(ctx, "part did not drain", slog.String("part", r.Name), slog.Any("error", err))
	}
}

// stop ends Run, releases the part and waits for Run to return, as long as ctx allows.
func (r *runner) stop(ctx context.Context) error {
	if before := phase(r.phase.Swap(int32(stopped))); before != running && before != draining {
		return nil
	}
	r.endRun()
	var err error
	if r.Stop != nil {
		err = r.guard("stop", func() error { return r.Stop(ctx) })
	}
	// A Run that is just told to end needs a moment for it, even where nobody may wait any more.
	moment := time.NewTimer(abandonAfter / 2)
	defer moment.Stop()
	select {
	case <-r.runDone:
		return err
	case <-moment.C:
	}
	select {
	case <-r.runDone:
		return err
	case <-ctx.Done():
		return errors.Join(err, fmt.Errorf("part %q: stop: still running: %w", r.Name, context.Cause(ctx)))
	}
}

func (r *runner) ready() error {
	switch phase(r.phase.Load()) {
	case waiting:
		return errStarting
	case draining:
		return errDraining
	case stopped:
		return errStopped
	}
	if r.Ready == nil {
		return nil
	}
	return r.catch("ready", r.Ready)
}

// guard calls a hook and makes its error name the part and what it was doing.
func (r *runner) guard(action string, hook func() error) error {
	if err := r.catch(action, hook); err != nil {
		return fmt.Errorf("part %q: %s: %w", r.Name, action, err)
	}
	return nil
}

// catch calls a hook and turns a panic into an error; the stack goes to the log only.
func (r *runner) catch(action string, hook func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("panic: %v", value)
			r.logger.Error("part panicked", slog.String("part", r.Name), slog.String("action", action),
				slog.Any("error", err), slog.String("stack", string(debug.Stack())))
		}
	}()
	return hook()
}

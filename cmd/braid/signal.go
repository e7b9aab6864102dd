package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// sameOrder is how long signals after the first belong to it: timeout(1), go run and a shell's Ctrl-C may reach a process
// twice, directly and by its process group. Nobody means two things by two signals so close together.
const sameOrder = 500 * time.Millisecond

// orders are what signals tell the process to do. They are listened to before anything is started, so that none comes
// too early to be obeyed.
type orders struct {
	// stop ends with the first signal: finish what is in hand, release everything, end well.
	stop context.Context
	// now ends with the second one: release what can be released at once, and end. A third kills.
	now context.Context

	signals  chan os.Signal
	released chan struct{}
	watching chan struct{}
}

// received is the cause of the end of a context of orders.
type received struct{ signal os.Signal }

// Error implements error.
func (r received) Error() string { return fmt.Sprintf("signal received: %s", r.signal) }

// ExitCode is what a shell expects of a process that a signal has ended.
func (r received) ExitCode() int {
	if number, ok := r.signal.(syscall.Signal); ok {
		return 128 + int(number)
	}
	return 1
}

// takeOrders listens to the signals of this process until release is called.
func takeOrders(parent context.Context) *orders {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	return listen(parent, signals)
}

func listen(parent context.Context, signals chan os.Signal) *orders {
	o := &orders{signals: signals, released: make(chan struct{}), watching: make(chan struct{})}
	stop, stopFor := context.WithCancelCause(parent)
	now, nowFor := context.WithCancelCause(context.WithoutCancel(parent))
	o.stop, o.now = stop, now
	go o.watch(stopFor, nowFor)
	return o
}

func (o *orders) watch(stopFor, nowFor context.CancelCauseFunc) {
	defer close(o.watching)
	defer nowFor(nil)
	defer stopFor(nil)
	for _, order := range []context.CancelCauseFunc{stopFor, nowFor} {
		select {
		case <-o.released:
			return
		case given := <-o.signals:
			order(received{given})
		}
		if !o.swallow() {
			return
		}
	}
	signal.Stop(o.signals)
	<-o.released
}

// swallow takes the signals that belong to the last order. It reports false once nobody listens any more.
func (o *orders) swallow() bool {
	over := time.NewTimer(sameOrder)
	defer over.Stop()
	for {
		select {
		case <-o.released:
			return false
		case <-over.C:
			return true
		case <-o.signals:
		}
	}
}

// release goes back to what signals do by themselves.
func (o *orders) release() {
	signal.Stop(o.signals)
	close(o.released)
	<-o.watching
}

// given returns the order that has ended ctx, if it was one.
func given(ctx context.Context) (order received, ok bool) {
	ok = errors.As(context.Cause(ctx), &order)
	return order, ok
}

// outcome is what the process ends with: a second signal has a status of its own, whatever has come of it.
func (o *orders) outcome(err error) error {
	if order, hasty := given(o.now); hasty {
		return order
	}
	return err
}

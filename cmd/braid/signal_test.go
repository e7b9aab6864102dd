package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/module"
)

func newTestOrders(t *testing.T) *orders {
	t.Helper()
	o := listen(t.Context(), make(chan os.Signal, 4))
	t.Cleanup(o.release)
	return o
}

func TestFirstSignalStopsSecondHastens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newTestOrders(t)
		o.signals <- syscall.SIGTERM
		o.signals <- syscall.SIGTERM // timeout(1) sends it to the process and to its group.
		synctest.Wait()
		require.Error(t, o.stop.Err())
		require.EqualError(t, context.Cause(o.stop), "signal received: terminated")
		<-time.After(sameOrder / 2)
		o.signals <- os.Interrupt
		synctest.Wait()
		require.NoError(t, o.now.Err(), "that was the same order")
		require.NoError(t, o.outcome(nil))

		<-time.After(sameOrder)
		o.signals <- os.Interrupt
		synctest.Wait()
		var ended received
		require.ErrorAs(t, o.outcome(errors.New("whatever came of it")), &ended)
		require.Equal(t, 130, ended.ExitCode())
		require.Equal(t, 143, received{syscall.SIGTERM}.ExitCode())
	})
}

func TestReleasedOrdersAreNone(t *testing.T) {
	t.Parallel()
	o := listen(t.Context(), make(chan os.Signal, 4))
	o.release()
	_, ordered := given(o.stop)
	require.False(t, ordered)
	require.NoError(t, o.outcome(nil))
	broken := errors.New("broken")
	require.Equal(t, broken, o.outcome(broken))
}

func TestSignalDuringTheStartCallsItOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		p := &process{orders: newTestOrders(t), logger: slog.New(slog.NewTextHandler(&log, nil))}
		p.manager = module.New(module.Options{}, slog.New(slog.NewTextHandler(io.Discard, nil)))
		done := make(chan error, 1)
		go func() {
			done <- p.run(func(ctx context.Context) error {
				<-ctx.Done()
				return errors.New("connect: canceled")
			})
		}()
		synctest.Wait()
		p.orders.signals <- syscall.SIGTERM
		require.NoError(t, <-done)
		synctest.Wait() // Whoever logs the signal is done with it.
		require.Contains(t, log.String(), "signal received: terminated")
		require.Contains(t, log.String(), "start called off")
		require.EqualError(t, (&process{orders: newTestOrders(t), logger: p.logger, manager: p.manager}).run(
			func(context.Context) error { return errors.New("no room") }), "no room", "without a signal it is a failure")
	})
}

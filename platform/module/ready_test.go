package module

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReadyNamesThePart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lost := errors.New("no connection")
		manager := newManager(Options{},
			Part{Name: "database", Ready: func() error { return lost }},
			Part{Name: "broken", Ready: func() error { panic("nil map") }},
			Part{Name: "fine", Ready: func() error { return nil }})
		end, result := runInBackground(t, manager)
		synctest.Wait()
		unready := manager.Ready()
		require.Len(t, unready, 2)
		require.Equal(t, lost, unready["database"])
		require.EqualError(t, unready["broken"], "panic: nil map")
		end()
		require.NoError(t, <-result)
	})
}

func TestOptionalPartDegrades(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lost := errors.New("no broker")
		manager := newManager(Options{Grace: time.Second},
			Part{Name: "broker", Optional: true, Ready: func() error { return lost }}, Part{Name: "server"})
		end, result := runInBackground(t, manager)
		synctest.Wait()
		require.Empty(t, manager.Ready())
		require.Equal(t, []Condition{{Part: "broker", Optional: true, Err: lost}, {Part: "server"}}, manager.Conditions())
		end()
		synctest.Wait()
		require.Equal(t, map[string]error{"server": errDraining}, manager.Ready())
		require.NoError(t, <-result)
	})
}

func TestWatchedPartKeepsTheLastAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		var answer atomic.Pointer[error]
		fine, gone, hang := error(nil), errors.New("gone"), errors.New("hang")
		answer.Store(&fine)
		manager := newManager(Options{}, Watched("database", func(ctx context.Context) error {
			asked.Add(1)
			if errors.Is(*answer.Load(), hang) {
				<-ctx.Done()
				return ctx.Err()
			}
			return *answer.Load()
		}))
		require.Len(t, manager.Ready(), 1, "nobody knows yet")
		end, result := runInBackground(t, manager)
		synctest.Wait()
		for range 100 {
			require.Empty(t, manager.Ready())
		}
		require.EqualValues(t, 1, asked.Load())
		answer.Store(&gone)
		time.Sleep(watchInterval)
		synctest.Wait()
		require.Equal(t, map[string]error{"database": gone}, manager.Ready())
		answer.Store(&fine)
		time.Sleep(watchInterval)
		synctest.Wait()
		require.Empty(t, manager.Ready())
		answer.Store(&hang)
		time.Sleep(watchInterval + watchTimeout)
		synctest.Wait()
		require.ErrorIs(t, manager.Ready()["database"], context.DeadlineExceeded)
		end()
		require.NoError(t, <-result)
	})
}

package module

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFailureStopsEverything(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk is full")
	for name, test := range map[string]struct {
		part Part
		want string
	}{
		"run error":   {Part{Name: "x", Run: func(context.Context) error { return broken }}, `part "x": run: disk is full`},
		"run ends":    {Part{Name: "x", Run: func(context.Context) error { return nil }}, `part "x": run: ended before it was told to`},
		"run panic":   {Part{Name: "x", Run: func(context.Context) error { panic("oh") }}, `part "x": run: panic: oh`},
		"start error": {Part{Name: "x", Start: func(context.Context) error { return broken }}, `part "x": start: disk is full`},
		"start panic": {Part{Name: "x", Start: func(context.Context) error { panic("oh") }}, `part "x": start: panic: oh`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				notes := &journal{}
				test.part.DependsOn = []string{"database"}
				err := newManager(Options{}, notes.part("database"), test.part).Run(t.Context())
				require.EqualError(t, err, test.want)
				require.Equal(t, []string{"start database", "drain database", "stop database"}, notes.all())
			})
		})
	}
}

func TestGraceKeepsServingWhileNotReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		notes := &journal{}
		manager := newManager(Options{Grace: 3 * time.Second}, notes.part("server"))
		end, result := runInBackground(t, manager)
		synctest.Wait()
		end()
		synctest.Wait()
		require.Equal(t, map[string]error{"server": errDraining}, manager.Ready())
		require.Equal(t, []string{"start server"}, notes.all(), "nothing is drained before the grace is over")
		ended := time.Now()
		require.NoError(t, <-result)
		require.Equal(t, 3*time.Second, time.Since(ended))
		require.Equal(t, map[string]error{"server": errStopped}, manager.Ready())
	})
}

func TestDrainIsBoundedAndStopStillHappens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		notes := &journal{}
		slow := notes.part("server", "database")
		slow.Drain = func(ctx context.Context) { <-ctx.Done() }
		end, result := runInBackground(t, newManager(Options{DrainTimeout: 10 * time.Second}, slow, notes.part("database")))
		synctest.Wait()
		ended := time.Now()
		end()
		require.NoError(t, <-result)
		require.Equal(t, 10*time.Second, time.Since(ended))
		require.Equal(t, []string{"stop server", "stop database"}, notes.all()[len(notes.all())-2:])
	})
}

func TestServerThatEndsInDrainIsNoFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan struct{})
		server := Part{
			Name:  "server",
			Run:   func(context.Context) error { <-closed; return nil },
			Drain: func(context.Context) { close(closed) },
		}
		end, result := runInBackground(t, newManager(Options{}, server))
		synctest.Wait()
		end()
		require.NoError(t, <-result)
	})
}

func TestHangingPartDoesNotKeepOthersFromStopping(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		notes := &journal{}
		release := make(chan struct{})
		defer close(release)
		hanging := Part{Name: "stuck", DependsOn: []string{"database"},
			Stop: func(context.Context) error { <-release; return nil }}
		end, result := runInBackground(t, newManager(Options{StopTimeout: 2 * time.Second}, hanging, notes.part("database")))
		synctest.Wait()
		end()
		require.ErrorContains(t, <-result, `part "stuck": stop: abandoned`)
		require.Contains(t, notes.all(), "stop database")
	})
}

func TestStopErrorIsReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		part := Part{Name: "database", Stop: func(context.Context) error { return errors.New("no answer") }}
		end, result := runInBackground(t, newManager(Options{}, part))
		synctest.Wait()
		end()
		require.EqualError(t, <-result, `part "database": stop: no answer`)
	})
}

func TestStopNowStopsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cut := make(chan error, 1)
		busy := Part{Name: "server", Drain: func(ctx context.Context) { <-ctx.Done() },
			Stop: func(ctx context.Context) error { cut <- context.Cause(ctx); return nil }}
		manager := newManager(Options{Grace: time.Hour, DrainTimeout: time.Hour}, busy)
		end, result := runInBackground(t, manager)
		synctest.Wait()
		started := time.Now()
		end()
		synctest.Wait()
		require.Equal(t, map[string]error{"server": errDraining}, manager.Ready())
		manager.StopNow()
		require.NoError(t, <-result)
		require.Zero(t, time.Since(started))
		require.Equal(t, ErrStoppedNow, <-cut)
	})
}

// Who is told to end only when nobody may wait any more gets a moment for it.
func TestStopNowWaitsForARunThatEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		late := Part{Name: "postgres", Run: func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(abandonAfter / 4)
			return nil
		}}
		stuck := Part{Name: "stuck", Run: func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Minute)
			return nil
		}}
		for name, test := range map[string]struct {
			part Part
			want string
		}{"late": {late, ""}, "stuck": {stuck, `part "stuck": stop: still running: stopped at once`}} {
			manager := newManager(Options{}, test.part)
			end, result := runInBackground(t, manager)
			synctest.Wait()
			manager.StopNow()
			end()
			if err := <-result; test.want == "" {
				require.NoError(t, err, name)
			} else {
				require.EqualError(t, err, test.want)
			}
		}
		time.Sleep(time.Minute)
	})
}

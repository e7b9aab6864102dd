package module

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
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

func TestRunFollowsDependencies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		notes := &journal{}
		manager := newManager(Options{},
			notes.part("gateway", "service"), notes.part("service", "database"), notes.part("database"))
		end, result := runInBackground(t, manager)
		synctest.Wait()
		require.Empty(t, manager.Ready())
		end()
		require.NoError(t, <-result)
		require.Equal(t, []string{
			"start database", "start service", "start gateway",
			"drain gateway", "drain service", "drain database",
			"stop gateway", "stop service", "stop database",
		}, notes.all())
	})
}

func TestIndependentPartsStartSideBySide(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := func(context.Context) error { time.Sleep(time.Second); return nil }
		manager := newManager(Options{}, Part{Name: "a", Start: slow}, Part{Name: "b", Start: slow})
		started := time.Now()
		end, result := runInBackground(t, manager)
		require.Equal(t, map[string]error{"a": errStarting, "b": errStarting}, manager.Ready())
		time.Sleep(time.Second)
		synctest.Wait()
		require.Empty(t, manager.Ready())
		require.Equal(t, time.Second, time.Since(started))
		end()
		require.NoError(t, <-result)
	})
}

func TestValidateNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		parts []Part
		want  []string
	}{
		"unknown":      {[]Part{{Name: "a", DependsOn: []string{"ghost"}}}, []string{`"a" depends on "ghost"`}},
		"cycle":        {[]Part{{Name: "a", DependsOn: []string{"b"}}, {Name: "b", DependsOn: []string{"c"}}, {Name: "c", DependsOn: []string{"b"}}}, []string{"b → c → b"}},
		"itself":       {[]Part{{Name: "a", DependsOn: []string{"a"}}}, []string{"a → a"}},
		"twice":        {[]Part{{Name: "a"}, {Name: "a"}}, []string{`two parts are named "a"`}},
		"no name":      {[]Part{{}}, []string{"no name"}},
		"all together": {[]Part{{}, {Name: "a", DependsOn: []string{"ghost"}}}, []string{"no name", "ghost"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := newManager(Options{}, test.parts...).Run(t.Context())
			for _, want := range test.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

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

func TestPartBehindAFailedStartIsNotStarted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		notes := &journal{}
		failing := Part{Name: "database", Start: func(context.Context) error { return errors.New("refused") }}
		err := newManager(Options{}, failing, notes.part("service", "database")).Run(t.Context())
		require.EqualError(t, err, `part "database": start: refused`)
		require.Empty(t, notes.all())
	})
}

func TestStartIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hanging := Part{Name: "broker", Start: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		err := newManager(Options{StartTimeout: 3 * time.Second}, hanging).Run(t.Context())
		require.ErrorContains(t, err, `part "broker": start`)
		require.ErrorContains(t, err, "not started within 3s")
	})
}

func TestEndDuringStartIsNoFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		notes := &journal{}
		hanging := Part{Name: "broker", DependsOn: []string{"database"}, Start: func(ctx context.Context) error {
			<-ctx.Done()
			return errors.New("connection lost")
		}}
		end, result := runInBackground(t, newManager(Options{}, notes.part("database"), hanging))
		synctest.Wait()
		end()
		require.NoError(t, <-result)
		require.Equal(t, []string{"start database", "drain database", "stop database"}, notes.all())
	})
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

// Nobody sends requests to what has never said that it is ready.
func TestStartThatIsCalledOffHasNoGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hanging := Part{Name: "broker", Start: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		end, result := runInBackground(t, newManager(Options{Grace: time.Hour}, hanging))
		synctest.Wait()
		begun := time.Now()
		end()
		require.NoError(t, <-result)
		require.Zero(t, time.Since(begun))
	})
}

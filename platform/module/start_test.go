package module

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

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

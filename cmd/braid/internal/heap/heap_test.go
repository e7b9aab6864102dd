package heap

import (
	"context"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const megabyte = 1 << 20

// machine is what the keeper looks at, moved by hand.
type machine struct {
	state
	now    time.Time
	keeper *keeper
}

func newMachine(live uint64) *machine {
	start := time.Now()
	return &machine{
		state: state{live: live, roots: megabyte}, now: start, keeper: &keeper{bounds: bounds{percent: defaultPercent, limit: math.MaxInt64}, since: start},
	}
}

// pass lets time go by in which so much a second is allocated, and returns what was ordered last.
func (m *machine) pass(duration time.Duration, rate uint64) (told *bounds, givenBack int) {
	for range duration / interval {
		m.now = m.now.Add(interval)
		m.allocated += rate / uint64(time.Second/interval)
		made := m.keeper.look(m.now, m.state)
		if made.bounds != nil {
			told = made.bounds
		}
		if made.giveBack {
			givenBack++
		}
	}
	return told, givenBack
}

// requireSize says how large the heap gets before it is collected, and that the runtime may hold that.
func (m *machine) requireSize(t *testing.T, want uint64, told *bounds) {
	t.Helper()
	require.NotNil(t, told)
	require.InDelta(t, want, m.live+(m.live+m.roots)*uint64(told.percent)/100, 2*megabyte)
	require.Greater(t, told.limit, int64(want+want/5))
	require.Less(t, told.limit, int64(want+want/2+overhead))
}

func TestHeapGrowsToItsSizeBeforeItIsCollected(t *testing.T) {
	t.Parallel()
	m := newMachine(20 * megabyte)
	told, givenBack := m.pass(time.Second, 100*megabyte)
	m.requireSize(t, workingSize, told)
	require.Zero(t, givenBack)

	for _, live := range []uint64{90, 500, 1000} {
		m.live = live * megabyte
		told, _ = m.pass(interval, 100*megabyte)
		m.requireSize(t, 2*m.live, told)
		require.Equal(t, defaultPercent, told.percent, "what is alive and large may double, no more")
	}
	m.live = 20 * megabyte
	told, _ = m.pass(interval, 100*megabyte)
	m.requireSize(t, workingSize, told)
	m.live = 21 * megabyte
	told, _ = m.pass(interval, 100*megabyte)
	require.Nil(t, told, "a small difference is not worth stopping the world for")
}

func TestQuietProcessGivesItsMemoryBackOnce(t *testing.T) {
	t.Parallel()
	m := newMachine(16 * megabyte)
	_, givenBack := m.pass(time.Minute, 100*megabyte)
	require.Zero(t, givenBack)
	told, givenBack := m.pass(quietTime/2, megabyte)
	require.Zero(t, givenBack, "the work has just ended")
	require.Nil(t, told)
	told, givenBack = m.pass(time.Hour, megabyte)
	require.Equal(t, 1, givenBack)
	m.requireSize(t, quietSize, told)

	told, givenBack = m.pass(time.Second, 100*megabyte)
	require.Zero(t, givenBack)
	m.requireSize(t, workingSize, told)
	_, givenBack = m.pass(time.Minute, megabyte)
	require.Equal(t, 1, givenBack)
}

// Reading metrics allocates a few megabytes at once; a process that does nothing else is quiet.
func TestBurstsAreNoWork(t *testing.T) {
	t.Parallel()
	m := newMachine(16 * megabyte)
	var times int
	for range 60 {
		m.allocated += 4 * megabyte
		_, givenBack := m.pass(5*time.Second, megabyte)
		times += givenBack
	}
	require.Equal(t, 1, times)
}

// Nothing is known to be alive before the first collection.
func TestNothingAlive(t *testing.T) {
	t.Parallel()
	m := newMachine(0)
	m.roots = 0
	told, _ := m.pass(time.Second, megabyte)
	require.Equal(t, defaultPercent, told.percent)
}

// It changes a setting of the whole process, so it runs alone.
func TestKeepLeavesTheRuntimeAsItWas(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	require.False(t, Chosen())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Keep(ctx) }()
	require.Eventually(t, func() bool { return heapGoal() > 100*megabyte }, 10*time.Second, interval)
	cancel()
	require.NoError(t, <-ended)
	require.Equal(t, defaultPercent, debug.SetGCPercent(defaultPercent))
	require.EqualValues(t, math.MaxInt64, debug.SetMemoryLimit(-1))
	t.Setenv("GOMEMLIMIT", "100MiB")
	require.True(t, Chosen())
}

// heapGoal is the size at which the runtime would collect now.
func heapGoal() uint64 {
	samples := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64()
}

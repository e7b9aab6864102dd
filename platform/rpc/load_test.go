package rpc

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProcessIsSaturatedByCallsUnderWay(t *testing.T) {
	t.Parallel()
	var l load
	now := time.Now()
	// spell has a call begin and end every few milliseconds for a while.
	spell := func(length time.Duration) {
		for end := now.Add(length); now.Before(end); now = now.Add(5 * time.Millisecond) {
			l.begin(now)
			l.end()
		}
	}
	require.False(t, l.saturated(now))
	for range saturatingCalls*runtime.GOMAXPROCS(0) - 2 {
		l.begin(now)
	}
	spell(time.Second)
	require.False(t, l.saturated(now), "one more finds room")
	l.begin(now)
	spell(saturationSpell - 5*time.Millisecond)
	require.False(t, l.saturated(now), "it may pass")
	spell(10 * time.Millisecond)
	require.True(t, l.saturated(now))
	now = now.Add(saturationMemory - 10*time.Millisecond)
	require.True(t, l.saturated(now), "a moment without so many is no relief")
	now = now.Add(10 * time.Millisecond)
	require.False(t, l.saturated(now))
	spell(saturationSpell / 2)
	require.False(t, l.saturated(now), "a new spell begins anew")
	spell(saturationSpell)
	require.True(t, l.saturated(now))
}

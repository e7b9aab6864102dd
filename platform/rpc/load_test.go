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
	require.False(t, l.saturated(now))
	for range saturatingCalls*runtime.GOMAXPROCS(0) - 1 {
		l.begin(now)
	}
	require.False(t, l.saturated(now))
	l.begin(now)
	require.True(t, l.saturated(now))
	l.end()
	require.True(t, l.saturated(now.Add(saturationMemory-1)), "a moment without so many is no relief")
	require.False(t, l.saturated(now.Add(saturationMemory)))
	l.begin(now.Add(time.Second))
	require.True(t, l.saturated(now.Add(time.Second)))
}

package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/testkit/bustest"
)

func TestProbeSeesABrokerComeAndGo(t *testing.T) {
	t.Parallel()
	broker := bustest.NewIn(t, t.TempDir())
	probe, err := bus.NewProbe(broker.Connection())
	require.NoError(t, err)
	defer probe.Close()
	ping := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return probe.Ping(ctx)
	}
	require.NoError(t, ping())
	broker.Stop()
	begun := time.Now()
	require.Error(t, ping())
	require.Less(t, time.Since(begun), 5*time.Second)
	broker.Start()
	require.Eventually(t, func() bool { return ping() == nil }, 10*time.Second, 10*time.Millisecond)
	_, err = bus.NewProbe(bus.Connection{})
	require.Error(t, err)
}

package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/testkit/bustest"
)

// A member that is told to stop while the broker keeps it waiting for the others stops all the same.
func TestGroupClosesWhileItIsNotLetIn(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "x.events"))
	require.NoError(t, err)
	asked, release := make(chan struct{}, 1), make(chan struct{})
	cluster.ControlKey(int16(kmsg.JoinGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.SleepControl(func() {
			asked <- struct{}{}
			<-release
		})
		return nil, nil, false
	})
	t.Cleanup(func() {
		close(release)
		cluster.Close()
	})
	group, err := bus.NewGroup(bus.Connection{Brokers: cluster.ListenAddrs()}, bus.GroupConfig{Group: "x", Topics: []string{"x.events"}}, bustest.Logger(t))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	polled := make(chan struct{})
	go func() {
		defer close(polled)
		_, _ = group.Poll(ctx)
	}()
	<-asked
	cancel()
	<-polled
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		group.Close()
	}()
	select {
	case <-closed:
	case <-time.After(20 * time.Second):
		t.Fatal("it waits to be let in")
	}
}

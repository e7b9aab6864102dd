package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/testkit/bustest"
)

// values reads a topic of one partition from start to end.
func values(t *testing.T, connection bus.Connection, topic string) (all []string) {
	t.Helper()
	require.NoError(t, bus.ReadTopic(t.Context(), connection, topic, bustest.Logger(t), func(record bus.Record) error {
		all = append(all, string(record.Value))
		return nil
	}))
	return all
}

func TestPublishOutlastsARestartOfTheBroker(t *testing.T) {
	t.Parallel()
	broker := bustest.New(t)
	connection, logger := broker.Connection(), bustest.Logger(t)
	require.NoError(t, bus.EnsureTopics(t.Context(), connection, logger, bus.Topic{Name: "t", Partitions: 1}))
	producer, err := bus.NewProducer(connection, logger)
	require.NoError(t, err)
	defer producer.Close()
	stop := make(chan struct{})
	var restarting sync.WaitGroup
	restarting.Go(func() {
		for range 3 {
			broker.Stop()
			broker.Start()
		}
		close(stop)
	})
	var want []string
	for number, over := 0, false; !over; number++ {
		select {
		case <-stop:
			over = true
		default:
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		var records []bus.Record
		for part := range 5 {
			value := fmt.Sprint(number, "-", part)
			want = append(want, value)
			records = append(records, bus.Record{Topic: "t", Partition: 0, Value: []byte(value)})
		}
		require.NoError(t, errors.Join(producer.Publish(ctx, records...)...))
		cancel()
	}
	restarting.Wait()
	// The broker keeps the producer's sequence over an orderly stop, so nothing is there twice either.
	require.Equal(t, want, values(t, connection, "t"))
}

func TestPublishThatWasGivenUpSendsNothingLater(t *testing.T) {
	t.Parallel()
	broker := bustest.New(t)
	connection, logger := broker.Connection(), bustest.Logger(t)
	require.NoError(t, bus.EnsureTopics(t.Context(), connection, logger, bus.Topic{Name: "t", Partitions: 1}))
	producer, err := bus.NewProducer(connection, logger)
	require.NoError(t, err)
	defer producer.Close()
	require.NoError(t, producer.Publish(t.Context(), bus.Record{Topic: "t", Partition: 0, Value: []byte("before")})[0])
	broker.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	results := producer.Publish(ctx,
		bus.Record{Topic: "t", Partition: 0, Value: []byte("lost 1")}, bus.Record{Topic: "t", Partition: 0, Value: []byte("lost 2")})
	for _, result := range results {
		require.ErrorIs(t, result, bus.ErrUncertain)
		require.ErrorIs(t, result, context.DeadlineExceeded)
	}
	broker.Start()
	require.NoError(t, producer.Publish(t.Context(), bus.Record{Topic: "t", Partition: 0, Value: []byte("after")})[0])
	require.Equal(t, []string{"before", "after"}, values(t, connection, "t"))
}

func TestClosedProducerRefuses(t *testing.T) {
	t.Parallel()
	producer, err := bus.NewProducer(bustest.Connect(t), bustest.Logger(t))
	require.NoError(t, err)
	require.Empty(t, producer.Publish(t.Context()))
	producer.Close()
	producer.Close()
	require.Error(t, producer.Publish(t.Context(), bus.Record{Topic: "t"})[0])
	_, err = producer.Ends(t.Context(), "t")
	require.Error(t, err)
}

func TestBackoffGrowsToItsLimit(t *testing.T) {
	t.Parallel()
	for attempt := range 100 {
		full := min(time.Millisecond<<max(min(attempt, 40)-1, 0), time.Second)
		wait := bus.Backoff(attempt, time.Millisecond, time.Second)
		require.GreaterOrEqual(t, wait, full/2, "attempt %d", attempt)
		require.LessOrEqual(t, wait, full, "attempt %d", attempt)
	}
}

func TestGraceOutlivesItsParent(t *testing.T) {
	t.Parallel()
	parent, stop := context.WithCancel(t.Context())
	graced, cancel := bus.WithGrace(parent, time.Hour)
	defer cancel()
	stop()
	require.NoError(t, graced.Err())
	cancel()
	require.Error(t, graced.Err())
	short, cancelShort := bus.WithGrace(parent, time.Millisecond)
	defer cancelShort()
	require.Eventually(t, func() bool { return short.Err() != nil }, 5*time.Second, time.Millisecond)
}

// A service that fails to be built leaves its producers behind; TestMain finds what they hold.
func TestUnusedProducerHoldsNothing(t *testing.T) {
	t.Parallel()
	_, err := bus.NewProducer(bus.Connection{Brokers: []string{"127.0.0.1:1"}}, bustest.Logger(t))
	require.NoError(t, err)
	_, err = bus.NewProducer(bus.Connection{
		Brokers: []string{"127.0.0.1:1"}, TLS: bus.TLS{Enabled: true, CAFile: "missing.pem"},
	}, bustest.Logger(t))
	require.ErrorContains(t, err, "missing.pem", "settings are checked before anything runs")
}

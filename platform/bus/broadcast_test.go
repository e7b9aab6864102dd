package bus_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/testkit/bustest"
)

const soon = 20 * time.Second

// administer gives a test what Braid itself never does to a cluster.
func administer(t *testing.T, connection bus.Connection) *kadm.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(connection.Brokers...),
		kgo.SASL(scram.Auth{User: connection.SASL.Username, Pass: connection.SASL.Password}.AsSha256Mechanism()))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return kadm.NewClient(client)
}

// journal is what a broadcast reader of one topic did, in its order; a reset is written as the zero identifier.
type journal struct {
	*bus.Broadcast
	mu      sync.Mutex
	entries []id.ID
}

func (j *journal) read() []id.ID {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries)
}

func (j *journal) write(entry id.ID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, entry)
}

// keep runs a reader until the test ends; before is called ahead of each event.
func keep(t *testing.T, connection bus.Connection, topic string, before func()) *journal {
	t.Helper()
	kept := &journal{}
	reader, err := bus.NewBroadcast(connection, bus.BroadcastConfig{
		Topics: []string{topic}, Lookback: time.Minute,
		Handle: func(_ context.Context, event bus.Event) {
			before()
			kept.write(event.ID)
		},
		Reset: func() { kept.write(id.ID{}) },
	}, clock.System{}, bustest.Logger(t))
	require.NoError(t, err)
	kept.Broadcast = reader
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = reader.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return kept
}

// send publishes a new event to a partition, by a producer that has only now looked for partitions.
func send(t *testing.T, connection bus.Connection, topic string, partition int32) id.ID {
	t.Helper()
	event := bustest.NewEvent(id.New())
	record, err := bus.Encode(topic, event)
	require.NoError(t, err)
	record.Partition = partition
	put(t, connection, record)
	return event.ID
}

// promise publishes a watermark of the present.
func promise(t *testing.T, connection bus.Connection, topic string, partition int32) time.Time {
	t.Helper()
	now := clock.System{}.Now()
	put(t, connection, bus.NewWatermark(topic, partition, "/braid/test", now))
	return now
}

func put(t *testing.T, connection bus.Connection, record bus.Record) {
	t.Helper()
	producer, err := bus.NewProducer(connection, bustest.Logger(t))
	require.NoError(t, err)
	defer producer.Close()
	require.NoError(t, errors.Join(producer.Publish(t.Context(), record)...))
}

func TestBroadcastReadsAnAddedPartitionFromItsStartAndIsNotFreshBefore(t *testing.T) {
	t.Parallel()
	connection := bustest.Connect(t)
	require.NoError(t, bus.EnsureTopics(t.Context(), connection, bustest.Logger(t), bus.Topic{Name: "t", Partitions: 1}))
	kept := keep(t, connection, "t", func() {})
	first := promise(t, connection, "t", 0)
	require.Eventually(t, func() bool { return kept.Freshness().Equal(first) }, soon, time.Millisecond)

	_, err := administer(t, connection).CreatePartitions(t.Context(), 1, "t")
	require.NoError(t, err)
	event := send(t, connection, "t", 1)
	second := promise(t, connection, "t", 0)
	require.Eventually(t, func() bool {
		require.True(t, kept.Freshness().Before(second), "what the new partition holds has not been read")
		return len(kept.read()) > 0
	}, soon, time.Millisecond)
	require.Equal(t, []id.ID{event}, kept.read())
	require.Zero(t, kept.Freshness(), "the new partition has promised nothing")
	promise(t, connection, "t", 1)
	require.Eventually(t, func() bool { return kept.Freshness().Equal(second) }, soon, time.Millisecond)
}

func TestBroadcastNoticesWhatRetentionTookAway(t *testing.T) {
	t.Parallel()
	connection := bustest.Connect(t)
	require.NoError(t, bus.EnsureTopics(t.Context(), connection, bustest.Logger(t), bus.Topic{Name: "t", Partitions: 1}))
	release := make(chan struct{})
	held := make(chan struct{}, 1)
	kept := keep(t, connection, "t", func() {
		select {
		case held <- struct{}{}:
			<-release
		default:
		}
	})
	t.Cleanup(func() { close(release) })
	first := send(t, connection, "t", 0)
	require.Eventually(t, func() bool { return len(held) == 1 }, soon, time.Millisecond)
	// Of these the client may have fetched the first ahead, no more.
	for range 9 {
		send(t, connection, "t", 0)
	}
	last := send(t, connection, "t", 0)
	removed := kadm.Offsets{}
	removed.AddOffset("t", 0, 10, -1)
	_, err := administer(t, connection).DeleteRecords(t.Context(), removed)
	require.NoError(t, err)
	release <- struct{}{}
	require.Eventually(t, func() bool { return slices.Contains(kept.read(), last) }, soon, time.Millisecond)
	read := kept.read()
	require.Equal(t, first, read[0])
	require.Equal(t, []id.ID{{}, last}, read[len(read)-2:], "everything is dropped before the reader goes on")
	require.Less(t, len(read), 6, "some were lost")
}

// levels counts the log lines of one message by their level.
type levels struct {
	slog.Handler
	message string
	mu      sync.Mutex
	counts  map[slog.Level]int
}

func (l *levels) Enabled(context.Context, slog.Level) bool { return true }

func (l *levels) Handle(_ context.Context, record slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if record.Message == l.message {
		l.counts[record.Level]++
	}
	return nil
}

func (l *levels) count(level slog.Level) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts[level]
}

func TestBroadcastWarnsOfAMissingTopicOnlyWhenThatLasts(t *testing.T) {
	t.Parallel()
	said := &levels{Handler: slog.DiscardHandler, message: "broadcast reader waits for its topics", counts: map[slog.Level]int{}}
	now := clock.NewManual(time.Now())
	connection := bustest.Connect(t)
	reader, err := bus.NewBroadcast(connection, bus.BroadcastConfig{
		Topics: []string{"later"}, Lookback: time.Minute, Handle: func(context.Context, bus.Event) {}, Reset: func() {},
	}, now, slog.New(said))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = reader.Run(ctx) })
	defer running.Wait()
	defer cancel()
	require.Eventually(t, func() bool { return said.count(slog.LevelDebug) > 1 }, soon, time.Millisecond)
	require.Zero(t, said.count(slog.LevelWarn))
	now.Advance(time.Minute)
	require.Eventually(t, func() bool { return said.count(slog.LevelWarn) > 0 }, soon, time.Millisecond)
	require.NoError(t, bus.EnsureTopics(t.Context(), connection, bustest.Logger(t), bus.Topic{Name: "later", Partitions: 1}))
	put(t, connection, bus.NewWatermark("later", 0, "/braid/test", now.Now()))
	require.Eventually(t, func() bool { return !reader.Freshness().IsZero() }, soon, time.Millisecond, "it goes on once the topic is there")
}

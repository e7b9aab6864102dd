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

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/testkit/bustest"
)

const (
	soon      = 20 * time.Second
	publisher = "thing"
	topic     = "thing.events"
)

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

// keep runs a reader of the publisher until the test ends, and returns when it reads; before is called ahead of each event.
func keep(t *testing.T, connection bus.Connection, before func()) *journal {
	t.Helper()
	kept := &journal{}
	reader, err := bus.NewBroadcast(connection, bus.BroadcastConfig{
		Publishers: []string{publisher}, Lookback: time.Minute,
		Handle: func(_ context.Context, event bus.Event) error {
			before()
			kept.write(event.ID)
			return nil
		},
		Reset: func(time.Time) { kept.write(id.ID{}) },
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
func send(t *testing.T, connection bus.Connection, partition int32) id.ID {
	t.Helper()
	event := bustest.NewEvent(id.New())
	record, err := bus.Encode(topic, event)
	require.NoError(t, err)
	record.Partition = partition
	put(t, connection, record)
	return event.ID
}

// promise publishes a watermark of the present.
func promise(t *testing.T, connection bus.Connection) time.Time {
	t.Helper()
	producer, err := bus.NewProducer(connection, bustest.Logger(t))
	require.NoError(t, err)
	defer producer.Close()
	ends, err := producer.Ends(t.Context(), topic)
	require.NoError(t, err)
	return promiseEnds(t, connection, ends)
}

func promiseEnds(t *testing.T, connection bus.Connection, ends bus.Ends) time.Time {
	t.Helper()
	now := clock.System{}.Now()
	record, err := bus.NewWatermark(publisher, now, ends)
	require.NoError(t, err)
	put(t, connection, record)
	return now
}

// awaitFreshness promises until the reader, which begins with what is promised after it began, has come as far.
func (j *journal) awaitFreshness(t *testing.T, connection bus.Connection) time.Time {
	t.Helper()
	before := time.Now()
	require.Eventually(t, func() bool {
		promise(t, connection)
		return j.Freshness().After(before)
	}, soon, 10*time.Millisecond)
	return j.Freshness()
}

// makeTopics makes those of the publisher.
func makeTopics(t *testing.T, connection bus.Connection, partitions int32) {
	t.Helper()
	require.NoError(t, bus.EnsureTopics(t.Context(), connection, bustest.Logger(t),
		bus.Topic{Name: topic, Partitions: partitions}, bus.NewWatermarkTopic(publisher, 0)))
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
	makeTopics(t, connection, 1)
	kept := keep(t, connection, func() {})
	kept.awaitFreshness(t, connection)

	_, err := bustest.Administer(t, connection).CreatePartitions(t.Context(), 1, topic)
	require.NoError(t, err)
	event := send(t, connection, 1)
	second := promise(t, connection)
	require.Eventually(t, func() bool { return kept.Freshness().Equal(second) }, soon, time.Millisecond)
	require.Equal(t, []id.ID{event}, kept.read(), "what the new partition holds has been read")

	// A relay that does not know of the new partition cannot promise anything about it.
	promiseEnds(t, connection, bus.Ends{TopicID: topicID(t, connection), Offsets: []int64{0}})
	third := promise(t, connection)
	require.Eventually(t, func() bool {
		fresh := kept.Freshness()
		require.True(t, fresh.Equal(second) || fresh.Equal(third), "%s is neither", fresh)
		return fresh.Equal(third)
	}, soon, time.Millisecond)
}

func topicID(t *testing.T, connection bus.Connection) string {
	t.Helper()
	producer, err := bus.NewProducer(connection, bustest.Logger(t))
	require.NoError(t, err)
	defer producer.Close()
	ends, err := producer.Ends(t.Context(), topic)
	require.NoError(t, err)
	return ends.TopicID
}

func TestBroadcastDropsEverythingWhenATopicHasShrunk(t *testing.T) {
	t.Parallel()
	connection := bustest.Connect(t)
	makeTopics(t, connection, 1)
	kept := keep(t, connection, func() {})
	event := send(t, connection, 0)
	kept.awaitFreshness(t, connection)
	promiseEnds(t, connection, bus.Ends{TopicID: topicID(t, connection), Offsets: []int64{0}})
	require.Eventually(t, func() bool { return slices.Contains(kept.read(), id.ID{}) }, soon, time.Millisecond)
	kept.awaitFreshness(t, connection)
	require.Equal(t, []id.ID{event, {}, event}, kept.read(), "what is there is read again")
}

func TestBroadcastGoesOnAfterTheBrokerWasAway(t *testing.T) {
	t.Parallel()
	broker := bustest.New(t)
	connection := broker.Connection()
	makeTopics(t, connection, 2)
	kept := keep(t, connection, func() {})
	first := send(t, connection, 0)
	kept.awaitFreshness(t, connection)
	broker.Stop()
	stopped := time.Now()
	require.Never(t, func() bool { return kept.Freshness().After(stopped) }, 100*time.Millisecond, 10*time.Millisecond)
	broker.Start()
	second := send(t, connection, 1)
	kept.awaitFreshness(t, connection)
	require.Equal(t, []id.ID{first, second}, kept.read(), "each once: nothing was lost, nothing is read again")
}

// The topic of watermarks is nobody's treasure: when it was made again, readers go on with it and drop nothing.
func TestBroadcastOutlivesItsTopicOfWatermarks(t *testing.T) {
	t.Parallel()
	connection := bustest.Connect(t)
	makeTopics(t, connection, 1)
	kept := keep(t, connection, func() {})
	event := send(t, connection, 0)
	kept.awaitFreshness(t, connection)
	_, err := bustest.Administer(t, connection).DeleteTopic(t.Context(), bus.WatermarkTopic(publisher))
	require.NoError(t, err)
	makeTopics(t, connection, 1)
	kept.awaitFreshness(t, connection)
	require.Equal(t, []id.ID{event}, kept.read())
}

func TestBroadcastNoticesWhatRetentionTookAway(t *testing.T) {
	t.Parallel()
	connection := bustest.Connect(t)
	makeTopics(t, connection, 1)
	release := make(chan struct{})
	held := make(chan struct{}, 1)
	kept := keep(t, connection, func() {
		select {
		case held <- struct{}{}:
			<-release
		default:
		}
	})
	t.Cleanup(func() { close(release) })
	first := send(t, connection, 0)
	require.Eventually(t, func() bool { return len(held) == 1 }, soon, time.Millisecond)
	// Of these the client may have fetched the first ahead, no more.
	for range 9 {
		send(t, connection, 0)
	}
	last := send(t, connection, 0)
	removed := kadm.Offsets{}
	removed.AddOffset(topic, 0, 10, -1)
	_, err := bustest.Administer(t, connection).DeleteRecords(t.Context(), removed)
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
		Publishers: []string{publisher}, Lookback: time.Minute, Handle: func(context.Context, bus.Event) error { return nil }, Reset: func(time.Time) {},
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
	makeTopics(t, connection, 1)
	require.Eventually(t, func() bool {
		promise(t, connection)
		return !reader.Freshness().IsZero()
	}, soon, time.Millisecond, "it goes on once the topic is there")
}

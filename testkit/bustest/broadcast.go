package bustest

import (
	"context"
	"errors"
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
)

// Client gives a test what Braid itself never does to a cluster. It knows the security of the brokers that tests have.
func Client(t testing.TB, connection bus.Connection) *kgo.Client {
	t.Helper()
	options := []kgo.Opt{kgo.SeedBrokers(connection.Brokers...)}
	if connection.SASL.Mechanism != "" {
		options = append(options, kgo.SASL(scram.Auth{User: connection.SASL.Username, Pass: connection.SASL.Password}.AsSha256Mechanism()))
	}
	client, err := kgo.NewClient(options...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// Administer is Client for what is done to topics.
func Administer(t testing.TB, connection bus.Connection) *kadm.Client {
	t.Helper()
	return kadm.NewClient(Client(t, connection))
}

// incomprehensible is the key of events that listeners can't understand.
const incomprehensible = "incomprehensible"

// listener runs a broadcast reader and keeps what it was handed.
type listener struct {
	*bus.Broadcast
	// stop ends the reader and returns when it has ended.
	stop   func()
	mu     sync.Mutex
	events []bus.Event
	// lost are the times of its resets.
	lost []time.Time
}

func (s *suite) listen(t *testing.T, publisher string, lookback time.Duration) *listener {
	t.Helper()
	heard := &listener{}
	reader, err := bus.NewBroadcast(s.connection, bus.BroadcastConfig{
		Publishers: []string{publisher}, Lookback: lookback,
		Handle: func(_ context.Context, event bus.Event) error {
			heard.mu.Lock()
			defer heard.mu.Unlock()
			heard.events = append(heard.events, event)
			if string(event.Key) == incomprehensible {
				return errors.New("not understood")
			}
			return nil
		},
		Reset: func(lost time.Time) {
			heard.mu.Lock()
			defer heard.mu.Unlock()
			heard.lost = append(heard.lost, lost)
		},
	}, clock.System{}, Logger(t))
	require.NoError(t, err)
	heard.Broadcast = reader
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = reader.Run(ctx) })
	heard.stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(heard.stop)
	return heard
}

func (l *listener) ids() []id.ID {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := make([]id.ID, 0, len(l.events))
	for _, event := range l.events {
		ids = append(ids, event.ID)
	}
	return ids
}

func (l *listener) count() (events int, lost []time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.events), slices.Clone(l.lost)
}

// publisher makes the topics of a publisher with a name of its own, and returns that and the topic of its events.
func (s *suite) publisher(t *testing.T, partitions int32) (name, topic string) {
	t.Helper()
	name = "conformance-" + id.New().String()
	topic = bus.EventTopic(name)
	require.NoError(t, bus.EnsureTopics(bounded(t), s.connection, Logger(t), bus.NewWatermarkTopic(name, 0), bus.Topic{
		Name: topic, Partitions: partitions, Retention: time.Hour,
	}))
	return name, topic
}

// promise sends a watermark of some time and returns the ends it names.
func promise(t *testing.T, producer *bus.Producer, publisher string, at time.Time) bus.Ends {
	t.Helper()
	ends, err := producer.Ends(bounded(t), bus.EventTopic(publisher))
	require.NoError(t, err)
	promiseEnds(t, producer, publisher, at, ends)
	return ends
}

func promiseEnds(t *testing.T, producer *bus.Producer, publisher string, at time.Time, ends bus.Ends) {
	t.Helper()
	record, err := bus.NewWatermark(publisher, at, ends)
	require.NoError(t, err)
	publish(t, producer, record)
}

// awaitFreshness promises until a reader, which begins with what is promised after it began, has come as far.
func (l *listener) awaitFreshness(t *testing.T, producer *bus.Producer, publisher string) {
	t.Helper()
	require.Eventually(t, func() bool {
		promise(t, producer, publisher, time.Now())
		return !l.Freshness().IsZero()
	}, patience, 50*time.Millisecond)
}

func (s *suite) broadcast(t *testing.T) {
	publisher, topic := s.publisher(t, 2)
	producer := s.producer(t)
	heard := s.listen(t, publisher, time.Minute)
	other := s.listen(t, publisher, time.Minute)
	require.True(t, heard.Freshness().IsZero())
	heard.awaitFreshness(t, producer, publisher)
	other.awaitFreshness(t, producer, publisher)
	var records []bus.Record
	for range 20 {
		records = append(records, encode(t, topic, NewEvent(id.New())))
	}
	publish(t, producer, records...)
	start := time.Now().UTC().Truncate(time.Microsecond).Add(time.Hour)
	ends := promise(t, producer, publisher, start)
	for _, reader := range []*listener{heard, other} {
		require.Eventually(t, func() bool { return reader.Freshness().Equal(start) }, patience, time.Millisecond)
		count, _ := reader.count()
		require.Equal(t, 20, count, "each reader gets every event before it says that it is fresh")
	}

	ends.Offsets[1]++
	promiseEnds(t, producer, publisher, start.Add(time.Second), ends)
	strange := encode(t, topic, NewEvent(id.New()))
	strange.Key, strange.Partition = []byte(incomprehensible), 0
	for number, record := range []bus.Record{{Topic: topic, Partition: 0, Value: []byte("no event")}, strange} {
		sent := time.Now()
		publish(t, producer, record)
		var lost []time.Time
		require.Eventually(t, func() bool {
			_, lost = heard.count()
			return len(lost) == number+1
		}, patience, time.Millisecond, "a record that cannot be read or understood drops what was built")
		require.WithinRange(t, lost[number], sent.Truncate(time.Millisecond), time.Now(), "the time is the record's")
	}
	require.Equal(t, start, heard.Freshness(), "what was promised in the other partition has not been read")
	event := encode(t, topic, NewEvent(id.New()))
	event.Partition = 1
	publish(t, producer, event)
	require.Eventually(t, func() bool { return heard.Freshness().Equal(start.Add(time.Second)) }, patience, time.Millisecond)

	promiseEnds(t, producer, publisher, start.Add(-time.Minute), bus.Ends{TopicID: ends.TopicID, Offsets: []int64{0, 0}})
	promise(t, producer, publisher, start.Add(time.Minute))
	require.Eventually(t, func() bool { return heard.Freshness().Equal(start.Add(time.Minute)) }, patience, time.Millisecond)
	_, lost := heard.count()
	require.Len(t, lost, 2, "a watermark that comes late takes nothing back")
}

// started runs readers that begin while the first records of all partitions are written: no record may fall between a
// reader's questions about where to begin.
func (s *suite) started(t *testing.T) {
	const rounds, readers, partitions = 6, 8, 16
	producer := s.producer(t)
	for range rounds {
		publisher, topic := s.publisher(t, partitions)
		var heard []*listener
		for range readers {
			heard = append(heard, s.listen(t, publisher, time.Minute))
		}
		var sent []id.ID
		for number := range int32(partitions) {
			event := NewEvent(id.New())
			record := encode(t, topic, event)
			record.Partition = number
			publish(t, producer, record)
			sent = append(sent, event.ID)
		}
		for _, reader := range heard {
			reader.awaitFreshness(t, producer, publisher)
			require.ElementsMatch(t, sent, reader.ids(), "a reader that says it is fresh has read what was written before")
			reader.stop()
		}
	}
}

// recreated deletes the topic that is read and makes it again with as many events as it had before: nothing but its
// identity tells a reader that these are others.
func (s *suite) recreated(t *testing.T) {
	publisher, topic := s.publisher(t, 1)
	heard := s.listen(t, publisher, time.Minute)
	producer := s.producer(t)
	publish(t, producer, encode(t, topic, NewEvent(id.New())))
	heard.awaitFreshness(t, producer, publisher)
	_, err := Administer(t, s.connection).DeleteTopic(bounded(t), topic)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return bus.EnsureTopics(bounded(t), s.connection, Logger(t), bus.Topic{Name: topic, Partitions: 1, Retention: time.Hour}) == nil
	}, patience, 10*time.Millisecond)
	remade, event := time.Now(), NewEvent(id.New())
	again := s.producer(t)
	publish(t, again, encode(t, topic, event))
	require.Eventually(t, func() bool {
		promise(t, again, publisher, time.Now())
		return heard.Freshness().After(remade)
	}, patience, 50*time.Millisecond, "it goes on with the new topic")
	require.Contains(t, heard.ids(), event.ID, "a reader that says it is fresh has read what is in the new topic")
	_, lost := heard.count()
	require.NotEmpty(t, lost, "what the old topic held, and was not read, is lost")
	require.Zero(t, lost[0], "nobody knows of when it was")
}

func (s *suite) lookback(t *testing.T) {
	publisher, topic := s.publisher(t, 1)
	producer := s.producer(t)
	publish(t, producer, encode(t, topic, NewEvent(id.New())))
	records := collect(t, s.group(t, topic, topic, 0), 1)
	// The broker's clock may differ from ours; waiting until the record is old by ours is enough on one machine.
	require.Eventually(t, func() bool { return time.Since(records[0].Time) > 300*time.Millisecond }, patience, 10*time.Millisecond)
	heard := s.listen(t, publisher, 100*time.Millisecond)
	late := NewEvent(id.New())
	require.Eventually(t, func() bool {
		publish(t, producer, encode(t, topic, late))
		events, _ := heard.count()
		return events > 0
	}, patience, 50*time.Millisecond)
	heard.mu.Lock()
	defer heard.mu.Unlock()
	require.Equal(t, late.ID, heard.events[0].ID, "what is older than the lookback is not read")
}

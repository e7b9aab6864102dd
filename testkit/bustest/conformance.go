package bustest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
)

// patience is how long the suite waits for what must happen; a broker that is well needs a fraction of it.
const patience = 30 * time.Second

// Conformance holds what Braid relies on in a broker. It creates topics and groups with names of its own, so it can run
// against a cluster that others use, and leaves the topics behind.
func Conformance(t *testing.T, connection bus.Connection) {
	t.Helper()
	suite := &suite{connection: connection}
	for _, part := range []struct {
		name string
		test func(*testing.T)
	}{
		{"topics are created once", suite.topics},
		{"an event arrives as it was sent", suite.roundTrip},
		{"order holds per key", suite.order},
		{"records go to the partition they name", suite.partitions},
		{"a group goes on where it committed", suite.offsets},
		{"members of a group share the partitions", suite.sharing},
		{"uncommitted records come back to another member", suite.takeover},
		{"lag counts what is not committed", suite.lag},
		{"a broadcast reader sees all partitions and tells its freshness", suite.broadcast},
		{"a broadcast reader misses nothing while it starts", suite.started},
		{"a broadcast reader begins at its lookback", suite.lookback},
		{"a broadcast reader goes on with a topic that was made again", suite.recreated},
		{"tail shows the last and the next", suite.tail},
		{"reading a topic ends at its end", suite.readTopic},
		{"publishing to a topic that does not exist fails", suite.unknownTopic},
		{"an oversized record is refused and the next is not", suite.oversized},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			part.test(t)
		})
	}
}

type suite struct{ connection bus.Connection }

// topic creates a topic with a name of its own.
func (s *suite) topic(t *testing.T, partitions int32) string {
	t.Helper()
	name := "conformance-" + id.New().String()
	require.NoError(t, bus.EnsureTopics(bounded(t), s.connection, Logger(t), bus.Topic{
		Name: name, Partitions: partitions, Retention: time.Hour,
	}))
	return name
}

func (s *suite) producer(t *testing.T) *bus.Producer {
	t.Helper()
	producer, err := bus.NewProducer(s.connection, Logger(t))
	require.NoError(t, err)
	t.Cleanup(producer.Close)
	return producer
}

func (s *suite) group(t *testing.T, name, topic string, maxRecords int) *bus.Group {
	t.Helper()
	group, err := bus.NewGroup(s.connection, bus.GroupConfig{Group: name, Topics: []string{topic}, MaxRecords: maxRecords}, Logger(t))
	require.NoError(t, err)
	var once sync.Once
	t.Cleanup(func() { once.Do(group.Close) })
	return group
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// publish sends records and requires all of them to be acknowledged.
func publish(t *testing.T, producer *bus.Producer, records ...bus.Record) {
	t.Helper()
	require.NoError(t, errors.Join(producer.Publish(bounded(t), records...)...))
}

// NewEvent returns a complete event of no particular meaning.
func NewEvent(key id.ID) bus.Event {
	return bus.Event{
		ID: id.New(), Type: "conformance.thing.happened", Source: bus.Source("conformance"), Subject: "things/1",
		Time: time.Now().UTC().Truncate(time.Microsecond), Schema: "google.protobuf.Empty", OrganizationID: key,
		Actor:         call.Actor{Kind: call.User, UserID: id.New(), SessionID: id.New()},
		CorrelationID: "correlation-1", ClientAddress: "192.0.2.7",
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", TraceState: "vendor=1",
		Key: []byte(key.String()),
	}
}

func encode(t *testing.T, topic string, event bus.Event) bus.Record {
	t.Helper()
	record, err := bus.Encode(topic, event)
	require.NoError(t, err)
	return record
}

// collect polls, and is done with what it polled, until enough records were read.
func collect(t *testing.T, group *bus.Group, enough int) []bus.Record {
	t.Helper()
	var all []bus.Record
	for ctx := bounded(t); len(all) < enough; {
		require.NoError(t, ctx.Err(), "read %d of %d records", len(all), enough)
		records, err := group.Poll(ctx)
		require.NoError(t, err)
		all = append(all, records...)
		group.Done()
	}
	return all
}

func (s *suite) topics(t *testing.T) {
	name := s.topic(t, 3)
	require.NoError(t, bus.EnsureTopics(bounded(t), s.connection, Logger(t), bus.Topic{Name: name, Partitions: 5}))
	ends, err := s.producer(t).Ends(bounded(t), name)
	require.NoError(t, err, "a topic can be used as soon as it is there")
	require.Equal(t, []int64{0, 0, 0}, ends.Offsets, "an existing topic keeps its partitions")
	require.NotEqual(t, strings.Trim(ends.TopicID, "A="), "", "topics of one name can be told apart")
}

func (s *suite) roundTrip(t *testing.T) {
	topic := s.topic(t, 1)
	sent := NewEvent(id.New())
	sent.Data = []byte{0, 1, 2, 255}
	sent.Extensions = []bus.Header{{Key: "other", Value: []byte("kept")}, {Key: "empty", Value: []byte{}}}
	publish(t, s.producer(t), encode(t, topic, sent))
	records := collect(t, s.group(t, topic, topic, 0), 1)
	require.Len(t, records, 1)
	got, err := bus.Decode(records[0])
	require.NoError(t, err)
	sent.Topic = topic
	require.Empty(t, cmp.Diff(sent, got, cmpopts.EquateEmpty()))
	require.WithinDuration(t, time.Now(), records[0].Time, time.Minute)
}

func (s *suite) order(t *testing.T) {
	const keys, each = 20, 100
	topic := s.topic(t, 4)
	producer := s.producer(t)
	var records []bus.Record
	for number := range each {
		for key := range keys {
			records = append(records, bus.Record{
				Topic: topic, Partition: bus.AnyPartition, Key: fmt.Append(nil, "key-", key), Value: fmt.Append(nil, number),
			})
		}
	}
	for len(records) > 0 {
		batch := min(len(records), 170)
		publish(t, producer, records[:batch]...)
		records = records[batch:]
	}
	next := map[string]int{}
	where := map[string]int32{}
	for _, record := range collect(t, s.group(t, topic, topic, 0), keys*each) {
		key := string(record.Key)
		require.Equal(t, fmt.Sprint(next[key]), string(record.Value), "%s is out of order", key)
		if next[key]++; next[key] > 1 {
			require.Equal(t, where[key], record.Partition, "%s changed its partition", key)
		}
		where[key] = record.Partition
	}
	require.Len(t, next, keys)
	used := map[int32]bool{}
	for _, partition := range where {
		used[partition] = true
	}
	require.Greater(t, len(used), 1, "keys are spread over partitions")
}

func (s *suite) partitions(t *testing.T) {
	topic := s.topic(t, 3)
	var records []bus.Record
	for number := range int32(3) {
		records = append(records, numbered(topic, number, int(number)+1)...)
	}
	producer := s.producer(t)
	publish(t, producer, records...)
	ends, err := producer.Ends(bounded(t), topic)
	require.NoError(t, err)
	require.Equal(t, []int64{1, 2, 3}, ends.Offsets, "what was acknowledged is in front of the end")
	seen := map[int32]int64{}
	for _, record := range collect(t, s.group(t, topic, topic, 0), 6) {
		seen[record.Partition]++
	}
	require.Equal(t, map[int32]int64{0: 1, 1: 2, 2: 3}, seen)
}

func (s *suite) unknownTopic(t *testing.T) {
	producer := s.producer(t)
	require.Error(t, producer.Publish(bounded(t), bus.Record{Topic: "conformance-none-" + id.New().String(), Partition: bus.AnyPartition})[0])
	publish(t, producer, bus.Record{Topic: s.topic(t, 1), Partition: bus.AnyPartition})
}

func (s *suite) oversized(t *testing.T) {
	topic := s.topic(t, 1)
	producer := s.producer(t)
	results := producer.Publish(bounded(t),
		bus.Record{Topic: topic, Partition: 0, Value: []byte("first")},
		bus.Record{Topic: topic, Partition: 0, Value: []byte(strings.Repeat(id.New().String(), 100_000))},
	)
	require.Error(t, results[1])
	publish(t, producer, bus.Record{Topic: topic, Partition: 0, Value: []byte("next")})
}

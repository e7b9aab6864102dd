package bustest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
)

// numbered returns count records for one partition with their number as value.
func numbered(topic string, partition int32, count int) []bus.Record {
	records := make([]bus.Record, count)
	for number := range records {
		records[number] = bus.Record{Topic: topic, Partition: partition, Value: fmt.Append(nil, number)}
	}
	return records
}

func (s *suite) offsets(t *testing.T) {
	topic := s.topic(t, 1)
	publish(t, s.producer(t), numbered(topic, 0, 10)...)
	first := s.group(t, topic, topic, 4)
	read := collect(t, first, 4)
	require.Len(t, read, 4, "a poll is bounded")
	first.Close()
	second := s.group(t, topic, topic, 100)
	rest := collect(t, second, 6)
	require.Len(t, rest, 6)
	require.Equal(t, "4", string(rest[0].Value), "what was committed does not come again")
}

func (s *suite) takeover(t *testing.T) {
	topic := s.topic(t, 1)
	publish(t, s.producer(t), numbered(topic, 0, 3)...)
	first := s.group(t, topic, topic, 100)
	records, err := first.Poll(bounded(t))
	require.NoError(t, err)
	require.NotEmpty(t, records)
	first.Close()
	rest := collect(t, s.group(t, topic, topic, 100), 3)
	require.Equal(t, "0", string(rest[0].Value))
}

func (s *suite) sharing(t *testing.T) {
	const partitions, each = 4, 25
	topic := s.topic(t, partitions)
	producer := s.producer(t)
	var mu sync.Mutex
	readers := map[int32]map[int]bool{}
	counts := map[string]int{}
	ctx, cancel := context.WithCancel(bounded(t))
	var running sync.WaitGroup
	for member := range 2 {
		group := s.group(t, topic, topic, 10)
		running.Go(func() {
			for ctx.Err() == nil {
				records, _ := group.Poll(ctx)
				mu.Lock()
				for _, record := range records {
					counts[fmt.Sprint(record.Partition, "/", record.Offset)]++
					if readers[record.Partition] == nil {
						readers[record.Partition] = map[int]bool{}
					}
					readers[record.Partition][member] = true
				}
				mu.Unlock()
				group.Done()
			}
		})
	}
	bothRead := func() bool {
		mu.Lock()
		defer mu.Unlock()
		members := map[int]bool{}
		for _, who := range readers {
			for member := range who {
				members[member] = true
			}
		}
		return len(members) == 2
	}
	sent := 0
	require.Eventually(t, func() bool {
		for number := range int32(partitions) {
			publish(t, producer, numbered(topic, number, each)...)
		}
		sent += partitions * each
		return bothRead()
	}, patience, 100*time.Millisecond, "one member reads everything")
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(counts) == sent
	}, patience, 10*time.Millisecond, "records are missing")
	cancel()
	running.Wait()
}

func (s *suite) lag(t *testing.T) {
	topic := s.topic(t, 2)
	producer := s.producer(t)
	group := s.group(t, topic, topic, 100)
	publish(t, producer, append(numbered(topic, 0, 5), numbered(topic, 1, 2)...)...)
	lag, err := group.Lag(bounded(t))
	require.NoError(t, err)
	require.Equal(t, map[string]int64{topic: 7}, lag)
	collect(t, group, 7)
	require.Eventually(t, func() bool {
		lag, err = group.Lag(bounded(t))
		require.NoError(t, err)
		return lag[topic] == 0
	}, patience, 10*time.Millisecond, "what is done is committed soon")
}

// listener runs a broadcast reader and keeps what it was handed.
type listener struct {
	*bus.Broadcast
	// stop ends the reader and returns when it has ended.
	stop   func()
	mu     sync.Mutex
	events []bus.Event
	resets int
}

func (s *suite) listen(t *testing.T, topic string, lookback time.Duration) *listener {
	t.Helper()
	heard := &listener{}
	reader, err := bus.NewBroadcast(s.connection, bus.BroadcastConfig{
		Topics: []string{topic}, Lookback: lookback,
		Handle: func(_ context.Context, event bus.Event) {
			heard.mu.Lock()
			defer heard.mu.Unlock()
			heard.events = append(heard.events, event)
		},
		Reset: func() {
			heard.mu.Lock()
			defer heard.mu.Unlock()
			heard.resets++
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

func (l *listener) count() (events, resets int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.events), l.resets
}

func (s *suite) broadcast(t *testing.T) {
	topic := s.topic(t, 2)
	producer := s.producer(t)
	heard := s.listen(t, topic, time.Minute)
	other := s.listen(t, topic, time.Minute)
	require.True(t, heard.Freshness().IsZero())
	// In the past, because no freshness is claimed past the reader's last look at the partitions.
	start := time.Now().UTC().Truncate(time.Microsecond).Add(-time.Hour)
	var records []bus.Record
	for range 20 {
		records = append(records, encode(t, topic, NewEvent(id.New())))
	}
	publish(t, producer, append(records, bus.NewWatermark(topic, 0, "/braid/conformance", start))...)
	require.Eventually(t, func() bool {
		mine, _ := heard.count()
		theirs, _ := other.count()
		return mine == 20 && theirs == 20
	}, patience, 5*time.Millisecond, "each reader gets every event")
	require.True(t, heard.Freshness().IsZero(), "one partition has shown no watermark yet")
	publish(t, producer, bus.NewWatermark(topic, 1, "/braid/conformance", start.Add(time.Second)))
	require.Eventually(t, func() bool { return heard.Freshness().Equal(start) }, patience, 5*time.Millisecond, "the minimum counts")
	publish(t, producer, bus.NewWatermark(topic, 0, "/braid/conformance", start.Add(time.Minute)))
	require.Eventually(t, func() bool { return heard.Freshness().Equal(start.Add(time.Second)) }, patience, 5*time.Millisecond)
	publish(t, producer, bus.NewWatermark(topic, 1, "/braid/conformance", start.Add(-time.Minute)),
		bus.Record{Topic: topic, Partition: 1, Value: []byte("no event")})
	require.Eventually(t, func() bool {
		_, resets := heard.count()
		return resets == 1
	}, patience, 5*time.Millisecond, "a record that cannot be read drops what was built")
	require.Equal(t, start.Add(time.Second), heard.Freshness(), "a late watermark takes nothing back")
}

// started runs readers that begin while the first records of all partitions are written: no record may fall between a
// reader's questions about where to begin.
func (s *suite) started(t *testing.T) {
	const rounds, readers, partitions = 6, 8, 16
	producer := s.producer(t)
	for range rounds {
		topic := s.topic(t, partitions)
		var heard []*listener
		for range readers {
			heard = append(heard, s.listen(t, topic, time.Minute))
		}
		var sent []id.ID
		for number := range int32(partitions) {
			event := NewEvent(id.New())
			record := encode(t, topic, event)
			record.Partition = number
			publish(t, producer, record)
			sent = append(sent, event.ID)
		}
		promise := time.Now().UTC().Truncate(time.Microsecond)
		for number := range int32(partitions) {
			publish(t, producer, bus.NewWatermark(topic, number, "/braid/conformance", promise))
		}
		for _, reader := range heard {
			require.Eventually(t, func() bool { return reader.Freshness().Equal(promise) }, patience, time.Millisecond)
			require.ElementsMatch(t, sent, reader.ids(), "a reader that says it is fresh has read what was written before")
			reader.stop()
		}
	}
}

func (s *suite) lookback(t *testing.T) {
	topic := s.topic(t, 1)
	producer := s.producer(t)
	publish(t, producer, encode(t, topic, NewEvent(id.New())))
	records := collect(t, s.group(t, topic, topic, 0), 1)
	// The broker's clock may differ from ours; waiting until the record is old by ours is enough on one machine.
	require.Eventually(t, func() bool { return time.Since(records[0].Time) > 300*time.Millisecond }, patience, 10*time.Millisecond)
	heard := s.listen(t, topic, 100*time.Millisecond)
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

var errEnough = errors.New("enough")

func (s *suite) tail(t *testing.T) {
	topic := s.topic(t, 1)
	producer := s.producer(t)
	var events []bus.Event
	for range 5 {
		event := NewEvent(id.New())
		events = append(events, event)
		publish(t, producer, encode(t, topic, event))
	}
	next := NewEvent(id.New())
	var got []id.ID
	err := bus.Tail(bounded(t), s.connection, bus.TailConfig{
		Topics: []string{topic}, Last: 2,
		Handle: func(event bus.Event, err error) error {
			got = append(got, event.ID)
			switch {
			case len(got) == 2:
				publish(t, producer, bus.NewWatermark(topic, 0, "/braid/conformance", time.Now()),
					encode(t, topic, next), bus.Record{Topic: topic, Partition: 0, Value: []byte("no event")})
			case len(got) == 4:
				require.ErrorIs(t, err, bus.ErrMalformed)
				return errEnough
			default:
				require.NoError(t, err)
			}
			return nil
		},
	}, Logger(t))
	require.ErrorIs(t, err, errEnough)
	require.Equal(t, []id.ID{events[3].ID, events[4].ID, next.ID, {}}, got)
}

func (s *suite) readTopic(t *testing.T) {
	topic := s.topic(t, 2)
	read := func() (values []string) {
		require.NoError(t, bus.ReadTopic(bounded(t), s.connection, topic, Logger(t), func(record bus.Record) error {
			values = append(values, fmt.Sprint(record.Partition, ":", string(record.Value)))
			return nil
		}))
		return values
	}
	require.Empty(t, read())
	publish(t, s.producer(t), append(numbered(topic, 0, 3), numbered(topic, 1, 1)...)...)
	require.ElementsMatch(t, []string{"0:0", "0:1", "0:2", "1:0"}, read())
	count := 0
	require.NoError(t, bus.ReadTopic(bounded(t), s.connection, topic, Logger(t), func(bus.Record) error {
		count++
		return bus.ErrStopReading
	}))
	require.Equal(t, 1, count)
	err := bus.ReadTopic(bounded(t), s.connection, "conformance-none-"+id.New().String(), Logger(t), func(bus.Record) error { return nil })
	require.ErrorIs(t, err, bus.ErrUnknownTopic)
}

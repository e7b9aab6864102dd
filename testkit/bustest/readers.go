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
				publish(t, producer, encode(t, topic, next), bus.Record{Topic: topic, Partition: 0, Value: []byte("no event")})
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

package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TailConfig says what to watch.
type TailConfig struct {
	Topics []string
	// Last is how many records of each partition to show before the new ones.
	Last int
	// Handle gets each event; err is ErrMalformed for a record that is none, whose position event then still has.
	// Returning an error ends the tail with it.
	Handle func(event Event, err error) error
}

// Tail shows events as they come, until ctx ends (then it returns nil) or Handle says so. It uses no group.
func Tail(ctx context.Context, connection Connection, config TailConfig, logger *slog.Logger) error {
	client, err := connection.open(logger,
		kgo.ConsumeTopics(config.Topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd().Relative(-int64(config.Last))),
		kgo.FetchMaxWait(500*time.Millisecond),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read topics: %w", err)
		}
		for iterator := fetches.RecordIter(); !iterator.Done(); {
			record := fromClient(iterator.Next())
			event, err := Decode(record)
			if err != nil {
				event = Event{Topic: record.Topic, Partition: record.Partition, Offset: record.Offset, Key: record.Key}
			}
			if err := config.Handle(event, err); err != nil {
				return err
			}
		}
	}
}

// ErrStopReading, returned by a function given to ReadTopic, ends the reading without an error.
var ErrStopReading = errors.New("stop reading")

// ReadTopic hands every record of topic from its start to its present end to handle, in order per partition. The broker
// must answer within ctx.
func ReadTopic(ctx context.Context, connection Connection, topic string, logger *slog.Logger, handle func(Record) error) error {
	client, err := connection.open(logger)
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	starts, err := listed(admin.ListStartOffsets(ctx, topic))
	if err != nil {
		return fmt.Errorf("read topic %s: %w", topic, err)
	}
	ends, err := listed(admin.ListEndOffsets(ctx, topic))
	if err != nil {
		return fmt.Errorf("read topic %s: %w", topic, err)
	}
	left := make(map[int32]int64)
	from := make(map[int32]kgo.Offset)
	ends.Each(func(end kadm.ListedOffset) {
		start, _ := starts.Lookup(topic, end.Partition)
		if end.Offset > start.Offset {
			left[end.Partition] = end.Offset
			from[end.Partition] = kgo.NewOffset().At(start.Offset)
		}
	})
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: from})
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read topic %s: %w", topic, explain(err))
		}
		for iterator := fetches.RecordIter(); !iterator.Done(); {
			record := iterator.Next()
			end, wanted := left[record.Partition]
			if !wanted || record.Offset >= end {
				delete(left, record.Partition)
				continue
			}
			if record.Offset == end-1 {
				delete(left, record.Partition)
			}
			switch err := handle(fromClient(record)); {
			case errors.Is(err, ErrStopReading):
				return nil
			case err != nil:
				return err
			}
		}
	}
	return nil
}

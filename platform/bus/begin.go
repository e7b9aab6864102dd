package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/braidhq/braid/platform/clock"
)

const (
	locateTimeout = 10 * time.Second
	// topicPatience is how long a topic may be missing before that is worth a warning: on a first start the processes
	// that own the topics make them meanwhile.
	topicPatience = 10 * time.Second
)

// begin starts reading every partition where the reader was, or else at the first record that is young enough. It fails
// only when ctx has ended before the cluster could say where that is.
func (b *Broadcast) begin(ctx context.Context, client *kgo.Client) error {
	admin, begun := kadm.NewClient(client), b.clock.Now()
	from := begun.Add(-b.config.Lookback)
	for attempt := 1; ; attempt++ {
		offsets, err := b.locate(ctx, client, admin, from)
		if err == nil {
			client.AddConsumePartitions(offsets)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		level := slog.LevelWarn
		if errors.Is(err, ErrUnknownTopic) && b.clock.Now().Sub(begun) < topicPatience {
			level = slog.LevelDebug
		}
		b.logger.Log(ctx, level, "broadcast reader waits for its topics", "publishers", b.config.Publishers, "error", err)
		if err := clock.Sleep(ctx, Backoff(attempt, errorPause, beginPause)); err != nil {
			return err
		}
	}
}

// locate finds the places to read from. Which topics these are is asked first: had one been made again by the time that
// its offsets are listed, its watermarks would name another topic than the one the places are believed to be of.
func (b *Broadcast) locate(ctx context.Context, client *kgo.Client, admin *kadm.Client, from time.Time) (map[string]map[int32]kgo.Offset, error) {
	ctx, cancel := context.WithTimeout(ctx, locateTimeout)
	defer cancel()
	var names []string
	for _, publisher := range b.config.Publishers {
		names = append(names, EventTopic(publisher), WatermarkTopic(publisher))
	}
	topics, err := describeTopics(ctx, client, names...)
	if err != nil {
		return nil, err
	}
	found, err := listBounds(ctx, admin, topics, from)
	if err != nil {
		return nil, err
	}
	offsets := make(map[string]map[int32]kgo.Offset)
	for _, publisher := range b.config.Publishers {
		topic := EventTopic(publisher)
		b.adopt(publisher, topics[topic].topicID, found[topic])
		offsets[topic] = make(map[int32]kgo.Offset)
		for number, next := range b.places[publisher].next {
			offsets[topic][int32(number)] = kgo.NewOffset().At(next) //nolint:gosec // Kafka itself counts partitions in an int32.
		}
		// What was promised before is of no use: from here on a watermark of another topic means that there is another.
		watermarks := WatermarkTopic(publisher)
		offsets[watermarks] = map[int32]kgo.Offset{0: kgo.NewOffset().At(found[watermarks][0].end)}
	}
	return offsets, nil
}

// adopt goes on from an earlier place, if there is one.
func (b *Broadcast) adopt(publisher, topicID string, partitions []bounds) {
	earlier := b.places[publisher]
	if earlier == nil {
		b.places[publisher] = newPlace(topicID, partitions)
		return
	}
	resumed, lost := earlier.resume(topicID, partitions)
	b.places[publisher] = resumed
	if lost {
		b.logger.Warn("broadcast reader cannot go on where it was; everything built from events is dropped", "publisher", publisher)
		b.config.Reset(time.Time{})
	}
}

// listBounds asks for the ends first, and takes them where nothing is so young as from: "the end" in a later answer would
// be the one of a moment later, and what was written meanwhile would be skipped. (The client's own start "after a time"
// sends both questions at once and takes whatever comes of it.) Below the earlier end everything had been written when it
// was found to be older.
func listBounds(ctx context.Context, admin *kadm.Client, topics map[string]topicState, from time.Time) (map[string][]bounds, error) {
	names := slices.Collect(maps.Keys(topics))
	ends, err := listed(admin.ListEndOffsets(ctx, names...))
	if err != nil {
		return nil, fmt.Errorf("list end offsets: %w", err)
	}
	since, err := listed(admin.ListOffsetsAfterMilli(ctx, from.UnixMilli(), names...))
	if err != nil {
		return nil, fmt.Errorf("list younger offsets: %w", err)
	}
	starts, err := listed(admin.ListStartOffsets(ctx, names...))
	if err != nil {
		return nil, fmt.Errorf("list start offsets: %w", err)
	}
	found := make(map[string][]bounds, len(topics))
	for name, topic := range topics {
		for number := range topic.partitions {
			end, ended := ends.Lookup(name, number)
			young, timed := since.Lookup(name, number)
			start, started := starts.Lookup(name, number)
			if !ended || !timed || !started {
				return nil, fmt.Errorf("list offsets: no answer for %s/%d", name, number)
			}
			found[name] = append(found[name], bounds{start: start.Offset, end: end.Offset, since: min(end.Offset, young.Offset)})
		}
	}
	return found, nil
}

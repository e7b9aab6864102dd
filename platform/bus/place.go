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

const (
	// partitionCheck is how often the broadcast reader asks for partitions that were added. It claims no freshness past
	// the last answer, so this is well below the staleness that whoever asks for the freshness can bear.
	partitionCheck   = 250 * time.Millisecond
	partitionTimeout = 10 * time.Second
	// partitionPause is the longest time between two tries while the cluster does not answer.
	partitionPause = 5 * time.Second
	// topicPatience is how long a topic may be missing before that is worth a warning: on a first start the processes
	// that own the topics make them meanwhile.
	topicPatience = 10 * time.Second
	// errorPause follows a read that failed.
	errorPause = 100 * time.Millisecond
)

type partition struct {
	topic  string
	number int32
}

// place is how far the broadcast reader has read one partition.
type place struct {
	// next is the offset that the next record must have. Topics of events have no gaps (no transactions, no compaction),
	// so with any other offset the log has lost something, or the reader has.
	next int64
	// watermark is the latest promise that was read; zero until there was one.
	watermark time.Time
}

// begin starts reading every partition at the first record of from or later. It reports false when ctx has ended before
// the cluster could say where that is.
func (b *Broadcast) begin(ctx context.Context, client *kgo.Client, from time.Time) bool {
	admin, begun := kadm.NewClient(client), b.clock.Now()
	for attempt := 1; ; attempt++ {
		places, err := b.locate(ctx, admin, from)
		if err == nil {
			b.follow(client, places)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		level := slog.LevelWarn
		if errors.Is(err, ErrUnknownTopic) && b.clock.Now().Sub(begun) < topicPatience {
			level = slog.LevelDebug
		}
		b.logger.Log(ctx, level, "broadcast reader waits for its topics", "topics", b.config.Topics, "error", err)
		if Sleep(ctx, Backoff(attempt, 100*time.Millisecond, partitionPause)) != nil {
			return false
		}
	}
}

// locate finds an offset in each partition behind which nothing of from or later can be missed. The ends are asked for
// first: where the second answer is that there is nothing so new, "the end" in it is the one of a moment later, and what
// was written meanwhile would be skipped. (The client's own start "after a time" sends both questions at once and takes
// whatever comes of it.) Below the earlier end everything had been written when it was found to be older.
func (b *Broadcast) locate(ctx context.Context, admin *kadm.Client, from time.Time) (map[partition]place, error) {
	ctx, cancel := context.WithTimeout(ctx, partitionTimeout)
	defer cancel()
	ends, err := admin.ListEndOffsets(ctx, b.config.Topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list end offsets: %w", explain(err))
	}
	since, err := admin.ListOffsetsAfterMilli(ctx, from.UnixMilli(), b.config.Topics...)
	if err == nil {
		err = since.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list offsets by time: %w", explain(err))
	}
	places := make(map[partition]place)
	for _, topic := range b.config.Topics {
		for number, end := range ends[topic] {
			found, ok := since.Lookup(topic, number)
			if !ok {
				return nil, fmt.Errorf("list offsets by time: no answer for %s/%d", topic, number)
			}
			places[partition{topic, number}] = place{next: min(end.Offset, found.Offset)}
		}
	}
	return places, nil
}

// follow starts reading partitions at their places. The places are there before the first record can be.
func (b *Broadcast) follow(client *kgo.Client, places map[partition]place) {
	b.mu.Lock()
	defer b.mu.Unlock()
	offsets := make(map[string]map[int32]kgo.Offset)
	for key, place := range places {
		b.places[key] = place
		if offsets[key.topic] == nil {
			offsets[key.topic] = make(map[int32]kgo.Offset)
		}
		offsets[key.topic][key.number] = kgo.NewOffset().At(place.next)
	}
	client.AddConsumePartitions(offsets)
}

func (b *Broadcast) watchPartitions(ctx context.Context, client *kgo.Client) {
	for failures := 0; ctx.Err() == nil; {
		wait := partitionCheck
		if err := b.checkPartitions(ctx, client); err == nil {
			failures = 0
		} else if ctx.Err() == nil {
			failures++
			wait = Backoff(failures, 2*partitionCheck, partitionPause)
			b.logger.WarnContext(ctx, "broadcast reader cannot list partitions", "error", err)
		}
		_ = Sleep(ctx, wait)
	}
}

// checkPartitions follows the partitions that are new, from their first record on.
func (b *Broadcast) checkPartitions(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, partitionTimeout)
	defer cancel()
	asked := b.clock.Now()
	counts, err := countPartitions(ctx, client, b.config.Topics...)
	if err != nil {
		return err
	}
	b.follow(client, b.added(counts))
	b.mu.Lock()
	b.listed = asked
	b.mu.Unlock()
	b.publishFreshness()
	return nil
}

// added returns the partitions of topics that have so many which are not read yet.
func (b *Broadcast) added(counts map[string]int32) map[partition]place {
	b.mu.Lock()
	defer b.mu.Unlock()
	added := make(map[partition]place)
	for topic, count := range counts {
		for number := range count {
			if _, ok := b.places[partition{topic, number}]; !ok {
				added[partition{topic, number}] = place{}
			}
		}
	}
	return added
}

func (b *Broadcast) next(key partition) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.places[key].next
}

// advance moves a partition's place. A relay that lost its leadership may have sent an older watermark late: it is true,
// and no longer of interest.
func (b *Broadcast) advance(key partition, next int64, promised time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	place := b.places[key]
	place.next = next
	if promised.After(place.watermark) {
		place.watermark = promised
	}
	b.places[key] = place
}

func (b *Broadcast) publishFreshness() {
	b.mu.Lock()
	defer b.mu.Unlock()
	oldest := b.listed
	if oldest.IsZero() {
		return
	}
	for _, place := range b.places {
		if place.watermark.IsZero() {
			b.freshness.Store(0)
			return
		}
		if place.watermark.Before(oldest) {
			oldest = place.watermark
		}
	}
	b.freshness.Store(oldest.UnixMicro())
}

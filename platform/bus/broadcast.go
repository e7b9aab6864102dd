package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/braidhq/braid/platform/clock"
)

// BroadcastConfig says what every process reads for itself.
type BroadcastConfig struct {
	Topics []string
	// Lookback is how far back reading begins; it must cover everything the process may still hold to be true,
	// one access token's lifetime for instance.
	Lookback time.Duration
	// Handle gets each event, in order per partition, from one goroutine. It must be quick and may see an event again.
	Handle func(ctx context.Context, event Event)
	// Reset is called when something was lost to the reader (a record it cannot decode, records that retention took
	// away before they were read). What was built from events must then be dropped as a whole.
	Reset func()
}

// Broadcast reads all partitions of its topics without a group, so that every process sees every event, and keeps
// account of how fresh it is. It commits nothing and writes nothing; what it feeds must be rebuildable.
type Broadcast struct {
	connection Connection
	config     BroadcastConfig
	clock      clock.Clock
	logger     *slog.Logger

	// freshness is the answer, in microseconds since 1970; 0 for none.
	freshness atomic.Int64

	mu         sync.Mutex
	watermarks map[partition]time.Time
}

type partition struct {
	topic  string
	number int32
}

// partitionCheck is how often the reader looks for partitions that were added.
const partitionCheck = 10 * time.Second

// NewBroadcast checks the settings; reading begins with Run.
func NewBroadcast(connection Connection, config BroadcastConfig, clock clock.Clock, logger *slog.Logger) (*Broadcast, error) {
	if err := connection.Validate(); err != nil {
		return nil, fmt.Errorf("kafka connection: %w", err)
	}
	if len(config.Topics) == 0 || config.Lookback <= 0 || config.Handle == nil || config.Reset == nil {
		return nil, errors.New("a broadcast reader needs topics, a lookback, a handler and a reset")
	}
	return &Broadcast{connection: connection, config: config, clock: clock, logger: logger}, nil
}

// Freshness returns the time up to which everything committed by the publishers has been handled here: the minimum
// over all partitions of the latest watermark. It is zero until each partition has shown one.
func (b *Broadcast) Freshness() time.Time {
	if micros := b.freshness.Load(); micros != 0 {
		return time.UnixMicro(micros).UTC()
	}
	return time.Time{}
}

// Run reads until ctx ends and returns nil then. It goes on trying when the broker cannot be reached.
func (b *Broadcast) Run(ctx context.Context) error {
	from := b.clock.Now().Add(-b.config.Lookback)
	client, err := b.connection.open(b.logger,
		kgo.ConsumeTopics(b.config.Topics...),
		kgo.ConsumeStartOffset(kgo.NewOffset().AfterMilli(from.UnixMilli())),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(500*time.Millisecond),
		kgo.KeepRetryableFetchErrors(),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	if !b.awaitPartitions(ctx, client) {
		return nil
	}
	var checking sync.WaitGroup
	checking.Go(func() { b.watchPartitions(ctx, client) })
	defer checking.Wait()
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		fetches.EachError(func(topic string, number int32, err error) {
			b.logger.WarnContext(ctx, "broadcast reader cannot read", "topic", topic, "partition", number, "error", err)
			if loss := (*kgo.ErrDataLoss)(nil); errors.As(err, &loss) {
				b.config.Reset()
			}
		})
		fetches.EachPartition(func(fetched kgo.FetchTopicPartition) {
			fetched.EachRecord(func(record *kgo.Record) { b.take(ctx, fromClient(record)) })
		})
		b.publishFreshness()
	}
}

func (b *Broadcast) take(ctx context.Context, record Record) {
	if IsWatermark(record) {
		at, err := watermarkTime(record)
		if err != nil {
			b.logger.ErrorContext(ctx, "broadcast reader cannot read a watermark", "topic", record.Topic, "error", err)
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		key := partition{record.Topic, record.Partition}
		// A relay that lost its leadership may have sent an older one late. It is true, and no longer of interest.
		if at.After(b.watermarks[key]) {
			b.watermarks[key] = at
		}
		return
	}
	event, err := Decode(record)
	if err != nil {
		b.logger.ErrorContext(ctx, "broadcast reader cannot decode an event; everything built from events is dropped",
			"topic", record.Topic, "partition", record.Partition, "offset", record.Offset, "error", err)
		b.config.Reset()
		return
	}
	b.config.Handle(ctx, event)
}

func (b *Broadcast) publishFreshness() {
	b.mu.Lock()
	defer b.mu.Unlock()
	var oldest time.Time
	for _, at := range b.watermarks {
		if at.IsZero() {
			b.freshness.Store(0)
			return
		}
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	if !oldest.IsZero() {
		b.freshness.Store(oldest.UnixMicro())
	}
}

// awaitPartitions learns what partitions there are, without which no freshness can be told. It reports false when ctx
// has ended first.
func (b *Broadcast) awaitPartitions(ctx context.Context, client *kgo.Client) bool {
	for attempt := 1; ; attempt++ {
		err := b.refreshPartitions(ctx, client)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		b.logger.WarnContext(ctx, "broadcast reader waits for its topics", "topics", b.config.Topics, "error", err)
		if Sleep(ctx, Backoff(attempt, 100*time.Millisecond, 5*time.Second)) != nil {
			return false
		}
	}
}

func (b *Broadcast) watchPartitions(ctx context.Context, client *kgo.Client) {
	for Sleep(ctx, partitionCheck) == nil {
		if err := b.refreshPartitions(ctx, client); err != nil && ctx.Err() == nil {
			b.logger.WarnContext(ctx, "broadcast reader cannot list partitions", "error", err)
		}
	}
}

// refreshPartitions adds partitions that are new, as not yet fresh.
func (b *Broadcast) refreshPartitions(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	counts, err := countPartitions(ctx, kadm.NewClient(client), b.config.Topics...)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.watermarks == nil {
		b.watermarks = make(map[partition]time.Time)
	}
	for topic, count := range counts {
		for number := range count {
			if _, ok := b.watermarks[partition{topic, number}]; !ok {
				b.watermarks[partition{topic, number}] = time.Time{}
			}
		}
	}
	return nil
}

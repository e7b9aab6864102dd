package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

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

	mu     sync.Mutex
	places map[partition]place
	// listed is when the cluster was last asked which partitions there are.
	listed time.Time
}

// NewBroadcast checks the settings; reading begins with Run.
func NewBroadcast(connection Connection, config BroadcastConfig, clock clock.Clock, logger *slog.Logger) (*Broadcast, error) {
	if err := connection.Validate(); err != nil {
		return nil, fmt.Errorf("kafka connection: %w", err)
	}
	if len(config.Topics) == 0 || config.Lookback <= 0 || config.Handle == nil || config.Reset == nil {
		return nil, errors.New("a broadcast reader needs topics, a lookback, a handler and a reset")
	}
	return &Broadcast{
		connection: connection, config: config, clock: clock, logger: logger, places: make(map[partition]place),
	}, nil
}

// Freshness returns the time up to which everything committed by the publishers has been handled here: the minimum
// over all partitions of the latest watermark, and no later than the partitions were last listed, because one that was
// added since may hold something already. It is zero until each partition has shown a watermark.
func (b *Broadcast) Freshness() time.Time {
	if micros := b.freshness.Load(); micros != 0 {
		return time.UnixMicro(micros).UTC()
	}
	return time.Time{}
}

// Run reads until ctx ends and returns nil then. It goes on trying when the broker cannot be reached. Call it once.
func (b *Broadcast) Run(ctx context.Context) error {
	from := b.clock.Now().Add(-b.config.Lookback)
	client, err := b.connection.open(b.logger,
		// Where an offset is gone, retention has overtaken the reader: the oldest record left is the next.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(500*time.Millisecond),
		kgo.KeepRetryableFetchErrors(),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	if !b.begin(ctx, client, from) {
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
		failed := false
		fetches.EachError(func(topic string, number int32, err error) {
			failed = true
			b.logger.WarnContext(ctx, "broadcast reader cannot read", "topic", topic, "partition", number, "error", err)
			if loss := (*kgo.ErrDataLoss)(nil); errors.As(err, &loss) {
				b.config.Reset()
			}
		})
		fetches.EachRecord(func(record *kgo.Record) { b.take(ctx, fromClient(record)) })
		b.publishFreshness()
		if failed {
			// The client may report the same failure over and over without waiting.
			_ = Sleep(ctx, errorPause)
		}
	}
}

// take handles the next record of a partition, and only then moves the partition's place behind it.
func (b *Broadcast) take(ctx context.Context, record Record) {
	key := partition{record.Topic, record.Partition}
	if next := b.next(key); record.Offset != next {
		b.logger.WarnContext(ctx, "broadcast reader was not given every record; everything built from events is dropped",
			"topic", record.Topic, "partition", record.Partition, "expected", next, "offset", record.Offset)
		b.config.Reset()
	}
	var promised time.Time
	if IsWatermark(record) {
		promised = b.promise(ctx, record)
	} else {
		b.handle(ctx, record)
	}
	b.advance(key, record.Offset+1, promised)
}

// promise reads a watermark; one that cannot be read promises nothing.
func (b *Broadcast) promise(ctx context.Context, record Record) time.Time {
	at, err := watermarkTime(record)
	if err != nil {
		b.logger.ErrorContext(ctx, "broadcast reader cannot read a watermark", "topic", record.Topic, "error", err)
	}
	return at
}

func (b *Broadcast) handle(ctx context.Context, record Record) {
	event, err := Decode(record)
	if err != nil {
		b.logger.ErrorContext(ctx, "broadcast reader cannot decode an event; everything built from events is dropped",
			"topic", record.Topic, "partition", record.Partition, "offset", record.Offset, "error", err)
		b.config.Reset()
		return
	}
	b.config.Handle(ctx, event)
}

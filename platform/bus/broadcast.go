package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/braidhq/braid/platform/clock"
)

// BroadcastConfig says what every process reads for itself.
type BroadcastConfig struct {
	// Publishers are the services whose events are read, and whose watermarks say how fresh that is.
	Publishers []string
	// Lookback is how far back reading begins; it must cover everything the process may still hold to be true,
	// one access token's lifetime for instance.
	Lookback time.Duration
	// Handle gets each event, in order per partition, from one goroutine. It must be quick and may see an event again.
	// An error says that it can't be understood.
	Handle func(ctx context.Context, event Event) error
	// Reset is called when something was lost to the reader (a record that cannot be decoded or understood, records that
	// retention took away before they were read, a topic that was made again). What was built from events must then be
	// dropped as a whole. The time is when the broker got what was lost, zero where nobody knows.
	Reset func(lost time.Time)
}

// Broadcast reads all partitions of its publishers' events without a group, so that every process sees every event, and
// keeps account of how fresh it is. It commits nothing and writes nothing; what it feeds must be rebuildable.
type Broadcast struct {
	connection Connection
	config     BroadcastConfig
	clock      clock.Clock
	logger     *slog.Logger

	// freshness is the answer, in microseconds since 1970; 0 for none.
	freshness atomic.Int64

	// The rest belongs to Run: the publishers by their topics, and how far each one's events have been read.
	events, watermarks map[string]string
	places             map[string]*place
}

// errorPause is the shortest, and beginPause the longest time between two tries to begin, or to read what failed.
const (
	errorPause = 100 * time.Millisecond
	beginPause = 5 * time.Second
)

// NewBroadcast checks the settings; reading begins with Run.
func NewBroadcast(connection Connection, config BroadcastConfig, clock clock.Clock, logger *slog.Logger) (*Broadcast, error) {
	if err := connection.Validate(); err != nil {
		return nil, fmt.Errorf("kafka connection: %w", err)
	}
	if len(config.Publishers) == 0 || config.Lookback <= 0 || config.Handle == nil || config.Reset == nil {
		return nil, errors.New("a broadcast reader needs publishers, a lookback, a handler and a reset")
	}
	made := &Broadcast{
		connection: connection, config: config, clock: clock, logger: logger,
		events: map[string]string{}, watermarks: map[string]string{}, places: map[string]*place{},
	}
	for _, publisher := range config.Publishers {
		made.events[EventTopic(publisher)] = publisher
		made.watermarks[WatermarkTopic(publisher)] = publisher
	}
	return made, nil
}

// Freshness returns the time up to which everything committed by the publishers has been handled here, or given up with
// a reset: the minimum over the publishers of the youngest promise that was reached. It is zero until each has one.
func (b *Broadcast) Freshness() time.Time {
	if micros := b.freshness.Load(); micros != 0 {
		return time.UnixMicro(micros).UTC()
	}
	return time.Time{}
}

// Run reads until ctx ends and returns nil then. It goes on trying when the broker cannot be reached. Call it once.
func (b *Broadcast) Run(ctx context.Context) error {
	for attempt := 0; ; {
		began := b.clock.Now()
		err := b.read(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if b.clock.Now().Sub(began) > beginPause {
			attempt = 0
		}
		attempt++
		b.logger.WarnContext(ctx, "broadcast reader begins again", "error", err)
		if clock.Sleep(ctx, Backoff(attempt, errorPause, beginPause)) != nil {
			return nil
		}
	}
}

// read reads from where it was, until ctx ends or it must begin again: the client holds on to a topic that it has once
// seen, also when another one has taken its name.
func (b *Broadcast) read(ctx context.Context) error {
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
	if err := b.begin(ctx, client); err != nil {
		return err
	}
	b.publishFreshness()
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		failed, err := b.look(ctx, fetches)
		for iterator := fetches.RecordIter(); err == nil && !iterator.Done(); {
			err = b.take(ctx, client, fromClient(iterator.Next()))
		}
		b.publishFreshness()
		if err != nil {
			return err
		}
		if failed {
			// The client may report the same failure over and over without waiting.
			_ = clock.Sleep(ctx, errorPause)
		}
	}
}

// look tells of what could not be read. It returns an error when that does not heal by itself.
func (b *Broadcast) look(ctx context.Context, fetches kgo.Fetches) (failed bool, err error) {
	fetches.EachError(func(topic string, number int32, problem error) {
		failed = true
		b.logger.WarnContext(ctx, "broadcast reader cannot read", "topic", topic, "partition", number, "error", problem)
		if loss := (*kgo.ErrDataLoss)(nil); errors.As(problem, &loss) {
			b.lose(topic)
			err = problem
		} else if problem = explain(problem); errors.Is(problem, ErrUnknownTopic) {
			err = problem
		}
	})
	return failed, err
}

// lose forgets how far a topic was read, and everything that was built from it.
func (b *Broadcast) lose(topic string) {
	if publisher, ok := b.events[topic]; ok {
		delete(b.places, publisher)
		b.config.Reset(time.Time{})
	}
}

// take handles the next record of a partition. No freshness is told before that is done.
func (b *Broadcast) take(ctx context.Context, client *kgo.Client, record Record) error {
	if publisher, ok := b.watermarks[record.Topic]; ok {
		return b.promise(ctx, client, publisher, record)
	}
	if b.places[b.events[record.Topic]].take(record.Partition, record.Offset) {
		b.logger.WarnContext(ctx, "broadcast reader was not given every record; everything built from events is dropped",
			"topic", record.Topic, "partition", record.Partition, "offset", record.Offset)
		b.config.Reset(time.Time{})
	}
	b.handle(ctx, record)
	return nil
}

// promise takes a watermark; one that cannot be read promises nothing.
func (b *Broadcast) promise(ctx context.Context, client *kgo.Client, publisher string, record Record) error {
	watermark, err := decodeWatermark(record)
	if err != nil {
		b.logger.ErrorContext(ctx, "broadcast reader cannot read a watermark", "topic", record.Topic, "error", err)
		return nil
	}
	topic := EventTopic(publisher)
	added, err := b.places[publisher].promise(watermark)
	if errors.Is(err, errShrunk) {
		b.lose(topic)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", topic, err)
	}
	if len(added) > 0 {
		offsets := make(map[int32]kgo.Offset, len(added))
		for _, number := range added {
			offsets[number] = kgo.NewOffset().AtStart()
		}
		client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets})
	}
	return nil
}

func (b *Broadcast) handle(ctx context.Context, record Record) {
	event, err := Decode(record)
	if err == nil {
		err = b.config.Handle(ctx, event)
	}
	if err != nil {
		b.logger.ErrorContext(ctx, "broadcast reader cannot understand an event; everything built from events is dropped",
			"topic", record.Topic, "partition", record.Partition, "offset", record.Offset, "error", err)
		b.config.Reset(record.Time)
	}
}

func (b *Broadcast) publishFreshness() {
	var times []time.Time
	for _, publisher := range b.config.Publishers {
		if place := b.places[publisher]; place != nil {
			times = append(times, place.freshness())
		}
	}
	if len(times) < len(b.config.Publishers) || slices.ContainsFunc(times, time.Time.IsZero) {
		b.freshness.Store(0)
		return
	}
	b.freshness.Store(slices.MinFunc(times, time.Time.Compare).UnixMicro())
}

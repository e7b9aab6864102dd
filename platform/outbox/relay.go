package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/pg"
)

// RelayConfig says what a relay publishes. Zero durations and counts stand for the defaults.
type RelayConfig struct {
	// Service names the publisher; its topic is `<service>.events`.
	Service string
	// Topic is created when it is missing. Its name must be the service's.
	Topic bus.Topic
	// Watermark makes the relay promise, every 500 ms, up to when everything is published.
	Watermark bool
	// Saturated says that the process has more requests than it can work on. Then they go first, and events wait, each for
	// two seconds at most. It is nil where others wait for what is published.
	Saturated func() bool
	// PollInterval is the safety net under the wake-ups (1 s), and how often a relay that is not active tries to be.
	PollInterval time.Duration
	// RoundInterval is the least time from the beginning of one round to the next while none is full (5 ms); each event of
	// a round adds to it, up to 40 ms. A round costs the same for one event as for fifty, and so does each consumer's
	// transaction behind it: under load this makes batches, and an event that comes alone does not wait.
	RoundInterval time.Duration
	// BatchEvents and BatchBytes bound one round (1000 events, 4 MiB of payload).
	BatchEvents int
	BatchBytes  int
	// PublishTimeout is how long one batch may wait for the broker (30 s) before the round begins again with a new client.
	PublishTimeout time.Duration
}

const (
	// eventInterval is what each event of a round adds to the time before the next. At r events/ms rounds settle at
	// RoundInterval/(1-r/2): hardly longer at 0.5, and the longest from 1.75 on.
	eventInterval    = 500 * time.Microsecond
	maxRoundInterval = 40 * time.Millisecond

	// maxHold is how long an event waits while the process is saturated, holdInterval how often the relay looks again.
	maxHold      = 2 * time.Second
	holdInterval = 20 * time.Millisecond

	depthInterval = 10 * time.Second
	// shutdownGrace lets the batch in hand be acknowledged and deleted, which spares sending it again.
	shutdownGrace = 5 * time.Second
	// maxUntaken is how long the broker may not take events before the relay says so.
	maxUntaken = 5 * time.Second
	maxBackoff = 5 * time.Second
)

func (c RelayConfig) withDefaults() RelayConfig {
	if c.PollInterval <= 0 {
		c.PollInterval = time.Second
	}
	if c.RoundInterval <= 0 {
		c.RoundInterval = 5 * time.Millisecond
	}
	if c.BatchEvents <= 0 {
		c.BatchEvents = 1000
	}
	if c.BatchBytes <= 0 {
		c.BatchBytes = 4 << 20
	}
	if c.PublishTimeout <= 0 {
		c.PublishTimeout = 30 * time.Second
	}
	return c
}

// Relay publishes the outbox of one database. Any number may run, in as many processes; one of them is active, by an
// advisory lock that lives as long as its connection.
type Relay struct {
	config   RelayConfig
	database *pg.DB
	producer *bus.Producer
	clock    clock.Clock
	logger   *slog.Logger
	metrics  *metrics
	tracer   trace.Tracer
	source   string

	committed signal
	leading   atomic.Bool
	// waiting is since when, in nanoseconds of the epoch, the broker has been to take what is at the front; 0 for nothing.
	waiting atomic.Int64
}

// NewRelay checks the settings and registers the relay's metrics; nothing is read or sent before Run.
func NewRelay(database *pg.DB, connection bus.Connection, config RelayConfig, clock clock.Clock, logger *slog.Logger, registerer prometheus.Registerer) (*Relay, error) {
	if config.Service == "" || config.Topic.Name != bus.EventTopic(config.Service) {
		return nil, fmt.Errorf("outbox relay of %q: its topic must be %q, not %q", config.Service, bus.EventTopic(config.Service), config.Topic.Name)
	}
	producer, err := bus.NewProducer(connection, logger)
	if err != nil {
		return nil, fmt.Errorf("outbox relay of %s: %w", config.Service, err)
	}
	return &Relay{
		config: config.withDefaults(), database: database, producer: producer, clock: clock,
		logger: logger.With("relay", config.Service), metrics: newMetrics(config.Service, registerer),
		tracer: otel.Tracer("github.com/braidhq/braid/platform/outbox"), source: bus.Source(config.Service), committed: newSignal(),
	}, nil
}

// Run publishes until ctx ends, and returns nil then. Lost databases and brokers are waited for. It may run once.
func (r *Relay) Run(ctx context.Context) error {
	if _, running := relays.LoadOrStore(r.database, r); running {
		return fmt.Errorf("outbox relay of %s: another one runs on this database in this process", r.config.Service)
	}
	defer relays.CompareAndDelete(r.database, r)
	defer r.producer.Close()
	for attempt := 0; ; {
		lock, err := acquireLock(ctx, r.database)
		switch {
		case ctx.Err() != nil:
			if lock != nil {
				lock.release()
			}
			return nil
		case err != nil:
			attempt++
			r.metrics.failures.Inc()
			r.logger.WarnContext(ctx, "outbox relay cannot reach its database", "error", err)
		case lock == nil:
			attempt = 0
			r.notifyLeader(ctx)
			continue
		default:
			attempt = 0
			r.lead(ctx, lock)
			continue
		}
		if clock.Sleep(ctx, bus.Backoff(attempt, 100*time.Millisecond, maxBackoff)) != nil {
			return nil
		}
	}
}

// Leading reports whether this relay is the active one.
func (r *Relay) Leading() bool { return r.leading.Load() }

// Ready returns why events wait, once the broker has taken none of those at hand for a while: it is away, or its disk is
// full. They are safe in the outbox.
func (r *Relay) Ready() error {
	since := r.waiting.Load()
	if since == 0 {
		return nil
	}
	if waited := r.clock.Now().Sub(time.Unix(0, since)); waited > maxUntaken {
		return fmt.Errorf("the broker has taken no event for %s", waited.Truncate(time.Second))
	}
	return nil
}

func (r *Relay) wake() { r.committed.send() }

// notifyLeader stands by for a poll interval. What this process commits meanwhile it tells the active relay of, with
// one NOTIFY for all commits since the last.
func (r *Relay) notifyLeader(ctx context.Context) {
	timer := time.NewTimer(r.config.PollInterval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-r.committed:
			if err := notify(ctx, r.database); err != nil && ctx.Err() == nil {
				// The active relay's poll finds the events all the same.
				r.logger.WarnContext(ctx, "outbox relay cannot notify the active one", "error", err)
				return
			}
		}
	}
}

// lead is the time of being the active relay: until ctx ends or the lock is lost.
func (r *Relay) lead(ctx context.Context, lock *leaderLock) {
	r.logger.InfoContext(ctx, "outbox relay is the active one")
	// Losing the lock ends all work at once, as another relay may have begun. Being told to stop leaves some time.
	graced, cancel := bus.WithGrace(ctx, shutdownGrace)
	defer cancel()
	work, lose := context.WithCancelCause(graced)
	defer lose(nil)
	listening, stopListening := context.WithCancel(graced)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if err := lock.watch(listening, r.wake); err != nil && listening.Err() == nil {
			lose(fmt.Errorf("%w: %w", errLeadershipLost, err))
		}
	})
	r.leading.Store(true)
	r.metrics.leader.Set(1)
	r.work(ctx, work)
	r.leading.Store(false)
	r.waiting.Store(0)
	for _, gauge := range []prometheus.Gauge{r.metrics.leader, r.metrics.depth, r.metrics.oldest, r.metrics.watermark} {
		gauge.Set(0)
	}
	if cause := context.Cause(work); errors.Is(cause, errLeadershipLost) {
		r.logger.WarnContext(ctx, "outbox relay has lost its lock and stops publishing", "error", cause)
	}
	stopListening()
	waiting.Wait()
	lock.release()
}

var errLeadershipLost = errors.New("the relay's lock was lost")

// work publishes round after round. It begins no round after ctx has ended, and ends the one in hand with work.
func (r *Relay) work(ctx, work context.Context) {
	poll := r.config.PollInterval
	if r.config.Watermark {
		poll = min(poll, watermarkInterval)
	}
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	var schedule schedule
	for attempt := 0; ctx.Err() == nil && work.Err() == nil; {
		began := time.Now()
		held, more, err := r.step(work, &schedule)
		switch {
		case err != nil && (work.Err() != nil || ctx.Err() != nil):
			return
		case err != nil:
			attempt++
			r.metrics.failures.Inc()
			r.logger.WarnContext(ctx, "outbox relay cannot publish and tries again", "attempt", attempt, "error", err)
			schedule.prepared, schedule.promising = false, false
			if r.pause(ctx, work, bus.Backoff(attempt, 50*time.Millisecond, maxBackoff)) {
				return
			}
			continue
		case held && r.pause(ctx, work, holdInterval):
			return
		case held, more:
			attempt = 0
			continue
		}
		attempt = 0
		if rest := r.interval(schedule.events) - time.Since(began); rest > 0 && r.pause(ctx, work, rest) {
			return
		}
		select {
		case <-ctx.Done():
		case <-work.Done():
		case <-r.committed:
		case <-ticker.C:
		}
	}
}

// step publishes the next batch, unless events are to wait for requests.
func (r *Relay) step(ctx context.Context, schedule *schedule) (held, more bool, err error) {
	schedule.last = math.MaxInt64
	if r.config.Saturated != nil && r.config.Saturated() {
		row := r.database.WorkerRead().QueryRow(ctx, selectDue, r.clock.Now().Add(-maxHold), r.config.BatchEvents)
		if err := row.Scan(&schedule.last); err != nil {
			return false, false, fmt.Errorf("look at the front of the outbox: %w", err)
		}
		if schedule.last == 0 {
			return true, false, nil
		}
	}
	more, err = r.round(ctx, schedule)
	return false, more, err
}

// interval is how long a round of so many events lasts at least.
func (r *Relay) interval(events int) time.Duration {
	return max(r.config.RoundInterval, min(r.config.RoundInterval+time.Duration(events)*eventInterval, maxRoundInterval))
}

// pause waits, and reports whether the work has ended meanwhile.
func (r *Relay) pause(ctx, work context.Context, wait time.Duration) (over bool) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false
	case <-ctx.Done():
	case <-work.Done():
	}
	return true
}

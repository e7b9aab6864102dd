package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/bus/deadletter"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/pg"
)

const (
	// shutdownGrace lets the batch in hand be committed when the process is told to stop.
	shutdownGrace = 5 * time.Second
	lagInterval   = 10 * time.Second
	// Under load a transaction costs more than its few events. A member that has just read gatherFrom records or more
	// lets the next ones gather for a moment, unless it is behind. Below that nobody waits for anything.
	gatherFrom  = 8
	gatherPause = 10 * time.Millisecond
	// lanes is how many transactions a member that is behind has under way at once.
	lanes = 2
)

// Consumer applies the events of a service's topics. Any number may run; they share the partitions.
type Consumer struct {
	config     Config
	database   *pg.DB
	connection bus.Connection
	clock      clock.Clock
	logger     *slog.Logger
	metrics    *metrics
	producer   *bus.Producer

	ready atomic.Bool
}

// NewConsumer checks the settings and registers the consumer's metrics; nothing is read before Run.
func NewConsumer(database *pg.DB, connection bus.Connection, config Config, clock clock.Clock, logger *slog.Logger, registerer prometheus.Registerer) (*Consumer, error) {
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("consumer of %s: %w", config.Service, err)
	}
	producer, err := bus.NewProducer(connection, logger)
	if err != nil {
		return nil, fmt.Errorf("consumer of %s: %w", config.Service, err)
	}
	return &Consumer{
		config: config.withDefaults(), database: database, connection: connection, clock: clock,
		logger: logger.With("consumer", config.Service), metrics: newMetrics(config.Service, registerer), producer: producer,
	}, nil
}

var errNotReady = errors.New("the consumer has not reached its topics yet")

// Ready returns nil once the topics are there. A broker that goes away later does not make the service unready: it goes
// on serving, and events wait. The database has a part of its own.
func (c *Consumer) Ready() error {
	if !c.ready.Load() {
		return errNotReady
	}
	return nil
}

// Run consumes until ctx ends, and returns nil then. It may run once.
func (c *Consumer) Run(ctx context.Context) error {
	defer c.producer.Close()
	topics := append(deadletter.Topics(c.config.Service, c.config.DeadLetterRetention, c.config.Topics[0].Replication), c.config.Topics...)
	names := []string{bus.ReplayTopic(c.config.Service)}
	for _, topic := range c.config.Topics {
		names = append(names, topic.Name)
	}
	group, err := bus.NewGroup(c.connection, bus.GroupConfig{
		Group: c.config.Service, Topics: names, MaxRecords: lanes * c.config.BatchEvents,
	}, c.logger)
	if err != nil {
		return fmt.Errorf("consumer of %s: %w", c.config.Service, err)
	}
	defer group.Close()
	if !c.awaitTopics(ctx, group, topics) {
		return nil
	}
	c.ready.Store(true)
	var background sync.WaitGroup
	defer background.Wait()
	background.Go(func() { c.measureLag(ctx, group) })
	background.Go(func() { c.cleanUp(ctx) })
	// The batch in hand may outlive ctx for a while; nothing else does.
	work, cancel := bus.WithGrace(ctx, shutdownGrace)
	defer cancel()
	for ctx.Err() == nil {
		records, err := group.Poll(ctx)
		if err != nil && ctx.Err() == nil {
			c.logger.WarnContext(ctx, "consumer cannot read", "error", err)
			// The client may report the same failure over and over without waiting.
			_ = clock.Sleep(ctx, c.config.RetryBase)
		}
		if len(records) == 0 {
			continue
		}
		if !c.process(ctx, work, records) {
			return nil
		}
		group.Done()
		c.gather(ctx, len(records))
	}
	return nil
}

// awaitTopics reports false when ctx has ended before the topics were there.
func (c *Consumer) awaitTopics(ctx context.Context, group *bus.Group, topics []bus.Topic) bool {
	for attempt := 1; ; attempt++ {
		asking, cancel := context.WithTimeout(ctx, c.config.BrokerTimeout)
		err := group.EnsureTopics(asking, topics...)
		cancel()
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		c.logger.WarnContext(ctx, "consumer waits for the broker", "error", err)
		if clock.Sleep(ctx, bus.Backoff(attempt, c.config.RetryBase, c.config.RetryLimit)) != nil {
			return false
		}
	}
}

// gather waits for records to come together after so many were read, when that makes fewer transactions.
func (c *Consumer) gather(ctx context.Context, read int) {
	if read >= gatherFrom && read < c.config.BatchEvents {
		_ = clock.Sleep(ctx, gatherPause)
	}
}

func (c *Consumer) measureLag(ctx context.Context, group *bus.Group) {
	for {
		asking, cancel := context.WithTimeout(ctx, c.config.BrokerTimeout)
		lags, err := group.Lag(asking)
		cancel()
		if err != nil && ctx.Err() == nil {
			c.logger.WarnContext(ctx, "consumer cannot ask for its lag", "error", err)
		}
		for topic, lag := range lags {
			c.metrics.lag.WithLabelValues(topic).Set(float64(lag))
		}
		if clock.Sleep(ctx, lagInterval) != nil {
			return
		}
	}
}

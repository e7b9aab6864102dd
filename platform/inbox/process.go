package inbox

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/bus/deadletter"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/pg"
)

const (
	causeInfrastructure = "infrastructure"
	causeEvent          = "event"
)

// item is one record in hand.
type item struct {
	// record is the original, also when it came by the replay topic.
	record bus.Record
	event  bus.Event
	// handler is the key of the event's handler.
	handler string
	// tried is how often the event was tried before it was replayed.
	tried  int
	single bool
	// malformed is set instead of the rest for a record that is no event.
	malformed error
}

// process brings records to their end, in order per key: applied, known already, or put aside. It reports false when the
// work was ended before; then nothing may be committed. While the infrastructure is away it waits, and the partitions
// with it.
func (c *Consumer) process(ctx, work context.Context, records []bus.Record) bool {
	var unfinished atomic.Bool
	var running sync.WaitGroup
	for _, lane := range c.lanesOf(records) {
		running.Go(func() {
			if !c.advance(ctx, work, lane) {
				unfinished.Store(true)
			}
		})
	}
	running.Wait()
	return !unfinished.Load()
}

// lanesOf divides what is too much for one transaction, so that one is decoded while the database works on another. What
// has the same key stays together and in its order; a key that is met first goes to the next lane.
func (c *Consumer) lanesOf(records []bus.Record) [][]bus.Record {
	if len(records) <= c.config.BatchEvents {
		return [][]bus.Record{records}
	}
	divided := make([][]bus.Record, lanes)
	laneOf := make(map[string]int)
	for _, record := range records {
		lane, known := laneOf[string(record.Key)]
		if !known {
			lane = len(laneOf) % lanes
			laneOf[string(record.Key)] = lane
		}
		divided[lane] = append(divided[lane], record)
	}
	return divided
}

// advance takes the records of one lane through their transactions.
func (c *Consumer) advance(ctx, work context.Context, records []bus.Record) bool {
	items := c.read(records)
	for start := 0; start < len(items); {
		end := start + 1
		if items[start].inBatch() {
			for end < len(items) && end-start < c.config.BatchEvents && items[end].inBatch() {
				end++
			}
		}
		if !c.settle(ctx, work, items[start:end]) {
			return false
		}
		start = end
	}
	return true
}

func (i item) inBatch() bool { return !i.single && i.malformed == nil }

// read decodes what has a handler. Events that nobody asked for cost no more than this.
func (c *Consumer) read(records []bus.Record) []item {
	items := make([]item, 0, len(records))
	replay := bus.ReplayTopic(c.config.Service)
	for _, record := range records {
		tried := 0
		if record.Topic == replay {
			record, tried = deadletter.Restore(record)
		}
		event, err := bus.Decode(record)
		if err != nil {
			items = append(items, item{record: record, tried: tried, malformed: err})
			continue
		}
		if key, ok := c.config.handlerKey(event.Type); ok {
			items = append(items, item{
				record: record, event: event, handler: key, tried: tried, single: slices.Contains(c.config.Single, key),
			})
		}
	}
	return items
}

// settle applies items in one transaction. When one of them fails by its own fault, each gets a transaction of its own,
// and the one at fault its tries and at last its place among the dead letters.
func (c *Consumer) settle(ctx, work context.Context, items []item) bool {
	if items[0].malformed != nil {
		return c.putAside(ctx, work, items[0], items[0].malformed, 1)
	}
	err, ok := c.applyPersistently(ctx, work, items)
	if !ok {
		return false
	}
	if err == nil {
		return true
	}
	if len(items) == 1 {
		return c.settleFailed(ctx, work, items[0], err)
	}
	c.logger.WarnContext(ctx, "consumer takes a batch apart after a failure", "events", len(items), "error", err)
	c.metrics.retries.WithLabelValues(causeEvent).Inc()
	for position := range items {
		err, ok := c.applyPersistently(ctx, work, items[position:position+1])
		if !ok {
			return false
		}
		if err != nil && !c.settleFailed(ctx, work, items[position], err) {
			return false
		}
	}
	return true
}

// settleFailed goes on with an event that failed once by its own fault.
func (c *Consumer) settleFailed(ctx, work context.Context, failed item, err error) bool {
	for attempt := 1; ; attempt++ {
		// What is malformed today is malformed tomorrow.
		if attempt >= c.config.Attempts || errors.Is(err, bus.ErrMalformed) {
			return c.putAside(ctx, work, failed, err, attempt)
		}
		c.metrics.retries.WithLabelValues(causeEvent).Inc()
		if clock.Sleep(ctx, bus.Backoff(attempt, c.config.RetryBase, c.config.RetryLimit)) != nil {
			return false
		}
		var ok bool
		if err, ok = c.applyPersistently(ctx, work, []item{failed}); !ok {
			return false
		}
		if err == nil {
			return true
		}
	}
}

// applyPersistently applies items in one transaction and outlasts the infrastructure's failures. The error it returns
// is an event's own; ok is false when the work was ended before there was an outcome.
func (c *Consumer) applyPersistently(ctx, work context.Context, items []item) (err error, ok bool) {
	for attempt := 1; ; attempt++ {
		err := c.apply(work, items)
		if err == nil || (work.Err() == nil && !isInfrastructure(err)) {
			return err, true
		}
		if len(items) > 1 && errs.KindOf(pg.Translate(err)) == errs.DeadlineExceeded && work.Err() == nil {
			// Together they may be too much for one transaction's time; one by one they are not.
			return err, true
		}
		if ctx.Err() != nil {
			return nil, false
		}
		c.metrics.retries.WithLabelValues(causeInfrastructure).Inc()
		c.logger.WarnContext(ctx, "consumer waits for its database or another service", "attempt", attempt, "events", len(items), "error", err)
		if clock.Sleep(ctx, bus.Backoff(attempt, c.config.RetryBase, c.config.RetryLimit)) != nil {
			return nil, false
		}
	}
}

// isInfrastructure tells what another try may mend without anyone's doing from what is the event's own. A panic is never
// the former: panicError does not unwrap to what was thrown.
func isInfrastructure(err error) bool {
	switch errs.KindOf(pg.Translate(err)) {
	case errs.Unavailable, errs.DeadlineExceeded, errs.ResourceExhausted, errs.Canceled:
		return true
	case errs.Aborted:
		// The database's own conflict goes away; one that a handler finds (a stale etag) would come again for ever.
		var server *pgconn.PgError
		return errors.As(err, &server)
	default:
		return false
	}
}

// putAside writes the dead letter and waits for it to be acknowledged; only then may the consumer go on. There is no
// inbox row: brought back, the event is applied.
func (c *Consumer) putAside(ctx, work context.Context, failed item, cause error, attempts int) bool {
	attempts += failed.tried
	letter := deadletter.Encode(deadletter.Letter{
		Record: failed.record, Consumer: c.config.Service, Reason: cause.Error(), Attempts: attempts, Time: c.clock.Now(),
	})
	for attempt := 1; ; attempt++ {
		publishing, cancel := context.WithTimeout(work, c.config.BrokerTimeout)
		err := c.producer.Publish(publishing, letter)[0]
		cancel()
		if err == nil {
			c.metrics.deadLetters.Inc()
			c.logger.ErrorContext(ctx, "consumer has put an event aside", "event_id", failed.event.ID, "type", failed.event.Type,
				"topic", failed.record.Topic, "partition", failed.record.Partition, "offset", failed.record.Offset,
				"attempts", attempts, "error", cause)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		c.metrics.retries.WithLabelValues(causeInfrastructure).Inc()
		c.logger.WarnContext(ctx, "consumer cannot write a dead letter", "attempt", attempt, "error", err)
		if clock.Sleep(ctx, bus.Backoff(attempt, c.config.RetryBase, c.config.RetryLimit)) != nil {
			return false
		}
	}
}

package inbox

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"runtime/debug"
	"slices"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

const insertRows = `insert into inbox (consumer, event_id, processed_at)
select $1, event_id, $3 from unnest($2::uuid[]) as event_id on conflict do nothing returning event_id`

// apply is one transaction: the inbox rows of items, and the effects of those that were not there yet, in order.
func (c *Consumer) apply(ctx context.Context, items []item) error {
	started := c.clock.Now()
	var applied int
	err := c.database.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		applied = 0 // The transaction may run again after a conflict.
		fresh, err := c.insertRows(ctx, tx, items)
		if err != nil {
			return err
		}
		for _, item := range items {
			if !fresh[item.event.ID] {
				continue
			}
			// An event that is twice in the batch is applied where it came first.
			delete(fresh, item.event.ID)
			if err := c.handle(ctx, tx, item); err != nil {
				return err
			}
			applied++
		}
		return nil
	})
	if err != nil {
		return err
	}
	now := c.clock.Now()
	c.metrics.applied.Add(float64(applied))
	c.metrics.duplicates.Add(float64(len(items) - applied))
	c.metrics.handled.Observe(now.Sub(started).Seconds())
	c.metrics.batch.Observe(float64(applied))
	for _, item := range items {
		c.metrics.age.Observe(max(now.Sub(item.event.Time).Seconds(), 0))
	}
	return nil
}

// insertRows returns the events that were not in the inbox yet. It writes in the order of the ids, so that two members
// with the same events, after one lost its partitions unawares, wait for and do not deadlock each other.
func (c *Consumer) insertRows(ctx context.Context, tx *pg.Tx, items []item) (map[id.ID]bool, error) {
	eventIDs := make([]id.ID, 0, len(items))
	for _, item := range items {
		eventIDs = append(eventIDs, item.event.ID)
	}
	slices.SortFunc(eventIDs, func(a, b id.ID) int { return bytes.Compare(a[:], b[:]) })
	eventIDs = slices.Compact(eventIDs)
	rows, err := tx.Query(ctx, insertRows, c.config.Service, eventIDs, c.clock.Now())
	if err != nil {
		return nil, fmt.Errorf("insert inbox rows: %w", err)
	}
	defer rows.Close()
	fresh := make(map[id.ID]bool, len(eventIDs))
	for rows.Next() {
		var eventID id.ID
		if err := rows.Scan(&eventID); err != nil {
			return nil, fmt.Errorf("insert inbox rows: %w", err)
		}
		fresh[eventID] = true
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("insert inbox rows: %w", err)
	}
	return fresh, nil
}

// panicError is a handler's panic. It is always the event's own failure, whatever was thrown.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("the handler panicked: %v", e.value) }

func (c *Consumer) handle(ctx context.Context, tx *pg.Tx, item item) (err error) {
	ctx, span := startSpan(ctx, c.config.Service, item.event)
	defer span.End()
	defer func() {
		if thrown := recover(); thrown != nil {
			failure := &panicError{value: thrown, stack: debug.Stack()}
			c.logger.ErrorContext(ctx, "consumer caught a panic of a handler", "type", item.event.Type, "panic", thrown, "stack", string(failure.stack))
			err = failure
		}
		if err != nil {
			span.SetStatus(codes.Error, "the event was not applied")
		}
	}()
	if err := item.handler(callContext(ctx, item.event), tx, item.event); err != nil {
		return fmt.Errorf("apply %s %s: %w", item.event.Type, item.event.ID, err)
	}
	return nil
}

// callContext makes the work on an event look like the work that caused it: what a handler writes or publishes is in
// the name of the same actor, under the same correlation id.
func callContext(ctx context.Context, event bus.Event) context.Context {
	current := &call.Call{
		CorrelationID: event.CorrelationID, OrganizationID: event.OrganizationID, Actor: event.Actor,
	}
	// Decode has checked that it is an address, when there is one.
	current.ClientAddress, _ = netip.ParseAddr(event.ClientAddress)
	return call.With(ctx, current)
}

func startSpan(ctx context.Context, consumer string, event bus.Event) (context.Context, trace.Span) {
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{
		"traceparent": event.TraceParent, "tracestate": event.TraceState,
	})
	return otel.Tracer("github.com/braidhq/braid/platform/inbox").Start(ctx, consumer+" process "+event.Type,
		trace.WithSpanKind(trace.SpanKindConsumer))
}

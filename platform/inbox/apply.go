package inbox

import (
	"bytes"
	"context"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

const insertRows = `with told as materialized (
    select unnest($2::uuid[]) as event_id, unnest($4::uuid[]) as organization_id
), fresh as (
    insert into inbox (consumer, event_id, processed_at) select $1, event_id, $3 from told on conflict do nothing returning event_id
)
select fresh.event_id, (told.organization_id in (select id from forgotten_organization)) is true from fresh join told using (event_id)`

// apply is one transaction: the inbox rows of items, and the effects of those that were not there yet, in order.
func (c *Consumer) apply(ctx context.Context, items []item) error {
	started := c.clock.Now()
	var applied, forgotten int
	err := c.database.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		fresh, dropped, err := c.insertRows(ctx, tx, items)
		if err != nil {
			return err
		}
		applied, forgotten = len(fresh), dropped
		for _, run := range runsOf(items, fresh) {
			if err := c.handle(ctx, tx, run); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	now := c.clock.Now()
	c.metrics.applied.Add(float64(applied))
	c.metrics.forgotten.Add(float64(forgotten))
	c.metrics.duplicates.Add(float64(len(items) - applied - forgotten))
	c.metrics.handled.Observe(now.Sub(started).Seconds())
	c.metrics.batch.Observe(float64(applied))
	for _, item := range items {
		c.metrics.age.Observe(max(now.Sub(item.event.Time).Seconds(), 0))
	}
	return nil
}

// insertRows returns the events that were not in the inbox yet, but for those of the forgotten, and how many
// the latter are. It writes in the order of the ids,
// so that two members with the same events, after one lost its partitions unawares, wait for and do not deadlock each
// other.
func (c *Consumer) insertRows(ctx context.Context, tx *pg.Tx, items []item) (fresh map[id.ID]bool, forgotten int, err error) {
	sorted := slices.SortedFunc(slices.Values(items), func(a, b item) int { return bytes.Compare(a.event.ID[:], b.event.ID[:]) })
	sorted = slices.CompactFunc(sorted, func(a, b item) bool { return a.event.ID == b.event.ID })
	eventIDs, organizationIDs := make([]id.ID, 0, len(sorted)), make([]id.ID, 0, len(sorted))
	for _, item := range sorted {
		eventIDs = append(eventIDs, item.event.ID)
		// What is remembered is as if it were of nobody.
		var organizationID id.ID
		if !slices.Contains(c.config.Remembered, item.handler) {
			organizationID = ownerOf(item.event)
		}
		organizationIDs = append(organizationIDs, organizationID)
	}
	rows, err := tx.Query(ctx, insertRows, c.config.Service, eventIDs, c.clock.Now(), organizationIDs)
	if err != nil {
		return nil, 0, fmt.Errorf("insert inbox rows: %w", err)
	}
	defer rows.Close()
	fresh = make(map[id.ID]bool, len(eventIDs))
	for rows.Next() {
		var eventID id.ID
		var drop bool
		if err := rows.Scan(&eventID, &drop); err != nil {
			return nil, 0, fmt.Errorf("insert inbox rows: %w", err)
		}
		if drop {
			forgotten++
			continue
		}
		fresh[eventID] = true
	}
	if err := rows.Err(); err != nil {
		return nil, 0, fmt.Errorf("insert inbox rows: %w", err)
	}
	return fresh, forgotten, nil
}

// ownerOf is whom an event is forgotten with: its organization, or else the person that it is in order by, as those of
// identity are. A key that is no id is nobody's.
func ownerOf(event bus.Event) id.ID {
	if !event.OrganizationID.IsZero() {
		return event.OrganizationID
	}
	return id.ParseOrZero(string(event.Key))
}

// run is events in a row with the same handler.
type run struct {
	handler string
	events  []bus.Event
}

// runsOf leaves out what is not fresh, and applies an event that is twice in the batch where it comes first. It changes
// fresh.
func runsOf(items []item, fresh map[id.ID]bool) (runs []run) {
	for _, item := range items {
		if !fresh[item.event.ID] {
			continue
		}
		delete(fresh, item.event.ID)
		if len(runs) == 0 || runs[len(runs)-1].handler != item.handler {
			runs = append(runs, run{handler: item.handler})
		}
		last := &runs[len(runs)-1]
		last.events = append(last.events, item.event)
	}
	return runs
}

// panicError is a handler's panic. It is always an event's own failure, whatever was thrown.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("the handler panicked: %v", e.value) }

func (c *Consumer) handle(ctx context.Context, tx *pg.Tx, run run) (err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			failure := &panicError{value: thrown, stack: debug.Stack()}
			c.logger.ErrorContext(ctx, "consumer caught a panic of a handler", "handler", run.handler, "events", len(run.events),
				"panic", thrown, "stack", string(failure.stack))
			err = failure
		}
	}()
	return c.config.Handlers[run.handler](context.WithValue(ctx, consumerKey{}, c.config.Service), tx, run.events)
}

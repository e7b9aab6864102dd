package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/pg"
)

// schedule remembers when the relay last did what it does not do in each round.
type schedule struct {
	// prepared says that there is a topic for events, promising that there is one for watermarks, too.
	prepared, promising bool
	// watermark is when the next one is due.
	watermark time.Time
	depth     time.Time
	// last is the position that this round goes up to.
	last int64
	// events is how many the last round found.
	events int
}

const (
	brokerTimeout = 10 * time.Second
	deleteTimeout = 10 * time.Second
)

// selectHead always begins at the first row there is. A cursor would skip a row that was inserted earlier and committed
// later than one that has been seen. The window sum cuts the batch in the server, where payloads stay packed.
const selectHead = `select position, event_id, key, organization_id, type, schema, subject, occurred_at, attributes::text, payload
from (select *, sum(octet_length(payload)) over (order by position) - octet_length(payload) as ahead
      from (select * from outbox where position <= $3 order by position limit $1) as head) as sized
where ahead < $2 order by position`

// selectDue finds how far the front of the outbox is due: what stands behind a younger event waits with it, or one of
// two events of an entity could overtake the other.
const selectDue = `select coalesce(max(position), 0) from (
    select position, every(occurred_at <= $1) over (order by position) as due
    from (select position, occurred_at from outbox order by position limit $2) as head
) as aged where due`

// round publishes one batch from the front of the outbox and deletes what was acknowledged; with nothing there it may
// still send a watermark. It reports whether more is waiting.
func (r *Relay) round(ctx context.Context, schedule *schedule) (more bool, err error) {
	if err := r.prepare(ctx, schedule); err != nil {
		return false, err
	}
	// Taken before the snapshot of the select: whatever was committed by now is in it.
	before := r.clock.Now()
	rows, err := r.selectRows(ctx, schedule.last)
	if err != nil {
		return false, fmt.Errorf("read the outbox: %w", err)
	}
	schedule.events = len(rows)
	complete := r.isAll(rows)
	records, spans, err := r.encode(ctx, rows)
	if err != nil {
		return false, err
	}
	if len(records) > 0 {
		if err := r.publish(ctx, rows, records, spans); err != nil {
			return false, err
		}
	}
	if len(rows) > 0 {
		r.metrics.batch.Observe(r.clock.Now().Sub(before).Seconds())
	}
	if r.config.Watermark && complete && !before.Before(schedule.watermark) {
		r.promise(ctx, schedule, before)
	}
	r.measure(ctx, schedule)
	return !complete, nil
}

// encode returns the rows as records, and the spans of those whose trace is recorded.
func (r *Relay) encode(ctx context.Context, rows []row) (records []bus.Record, spans []sending, err error) {
	records = make([]bus.Record, 0, len(rows))
	for position, row := range rows {
		carried, err := row.carried()
		if err == nil {
			if span := r.startSending(ctx, row, &carried); span != nil {
				spans = append(spans, sending{position, span})
			}
			var record bus.Record
			record, err = row.record(carried, r.config.Topic.Name, r.source)
			records = append(records, record)
		}
		if err != nil {
			// Nothing may be left out, so this holds up everything until someone looks.
			endSending(spans, nil)
			return nil, nil, fmt.Errorf("encode event %s at position %d: %w", row.eventID, row.position, err)
		}
	}
	return records, spans, nil
}

// publish sends the batch and deletes the rows that were acknowledged, also when others were not.
func (r *Relay) publish(ctx context.Context, rows []row, records []bus.Record, spans []sending) error {
	r.waiting.CompareAndSwap(0, r.clock.Now().UnixNano())
	within, cancel := context.WithTimeout(ctx, r.config.PublishTimeout)
	results := r.producer.Publish(within, records...)
	cancel()
	endSending(spans, results)
	acknowledged := make([]int64, 0, len(rows))
	var failed error
	for position, result := range results {
		if result != nil {
			if failed == nil {
				failed = result // The others mostly say the same.
			}
			continue
		}
		if position < len(rows) {
			acknowledged = append(acknowledged, rows[position].position)
		}
	}
	r.metrics.published.Add(float64(len(acknowledged)))
	if len(acknowledged) > 0 {
		r.waiting.Store(0)
		if err := r.deleteRows(ctx, acknowledged); err != nil {
			return errors.Join(failed, fmt.Errorf("delete published events: %w", err))
		}
	}
	if failed != nil {
		return fmt.Errorf("publish events: %w", failed)
	}
	return nil
}

// prepare makes sure of the topic: at the beginning, and after a failure.
func (r *Relay) prepare(ctx context.Context, schedule *schedule) error {
	if schedule.prepared {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, brokerTimeout)
	defer cancel()
	if err := r.producer.EnsureTopics(ctx, r.config.Topic); err != nil {
		return err
	}
	schedule.prepared = true
	return nil
}

func (r *Relay) selectRows(ctx context.Context, last int64) ([]row, error) {
	result, err := r.database.WorkerRead().Query(ctx, selectHead, r.config.BatchEvents, r.config.BatchBytes, last)
	if err != nil {
		return nil, err
	}
	defer result.Close()
	var rows []row
	for result.Next() {
		var next row
		var carried string
		if err := result.Scan(&next.position, &next.eventID, &next.key, &next.organizationID, &next.eventType, &next.schema,
			&next.subject, &next.occurredAt, &carried, &next.payload); err != nil {
			return nil, err
		}
		next.attributes = []byte(carried)
		rows = append(rows, next)
	}
	return rows, result.Err()
}

// isAll reports whether no row was left behind by the bounds of a batch. A row is cut off only when those before it
// reach BatchBytes.
func (r *Relay) isAll(rows []row) bool {
	size := 0
	for _, row := range rows {
		size += len(row.payload)
	}
	return len(rows) < r.config.BatchEvents && size < r.config.BatchBytes
}

// deleteRows may be forgotten by a crash, so it does not wait for the disk: what comes back is published again.
func (r *Relay) deleteRows(ctx context.Context, positions []int64) error {
	// The leader that lost its lock may delete what was acknowledged; nobody is harmed and some are spared a duplicate.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
	defer cancel()
	return r.database.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		tx.Queue(`set local synchronous_commit = off`)
		tx.Queue(`delete from outbox where position = any($1)`, positions)
		return nil
	})
}

func (r *Relay) measure(ctx context.Context, schedule *schedule) {
	now := r.clock.Now()
	if now.Sub(schedule.depth) < depthInterval {
		return
	}
	schedule.depth = now
	const query = `select count(*), min(occurred_at) from (select occurred_at from outbox order by position limit 100000) as waiting`
	var depth int64
	var oldest *time.Time
	if err := r.database.WorkerRead().QueryRow(ctx, query).Scan(&depth, &oldest); err != nil {
		r.logger.WarnContext(ctx, "outbox relay cannot count what is waiting", "error", err)
		return
	}
	r.metrics.depth.Set(float64(depth))
	r.metrics.oldest.Set(0)
	if oldest != nil {
		r.metrics.oldest.Set(max(now.Sub(*oldest).Seconds(), 0))
	}
}

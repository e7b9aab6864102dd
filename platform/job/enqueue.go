package job

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/pg"
)

// insertJob is River's own insert, without what a request's role may not do (read back) and what costs a writing
// transaction dearly (notify inside it). The bits of unique_states are River's: every state but canceled, completed
// and discarded.
const insertJob = `insert into river_job (args, kind, max_attempts, metadata, queue, scheduled_at, state, tags, unique_key, unique_states)
values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6), case when $6::float8 > 0 then 'scheduled' else 'available' end::river_job_state,
	'{}', $7, case when $7::bytea is null then null else B'11110001' end)
on conflict do nothing`

// Enqueue adds a job to the transaction: it exists when, and only when, the transaction commits, and is picked up
// right after. It costs no round trip; an error of the insert itself comes back from the transaction's next statement
// or its commit. The job's context will carry the call in ctx (without its token) and its trace.
func (q *Queue) Enqueue(ctx context.Context, tx *pg.Tx, args Args, options ...Option) error {
	settings := enqueued{queue: DefaultQueue, maxAttempts: q.config.MaxAttempts}
	for _, option := range options {
		option(&settings)
	}
	kind := args.Kind()
	if !q.config.Handlers.knows(kind) {
		return fmt.Errorf("enqueue job: no handler for kind %q", kind)
	}
	if _, exists := q.config.Queues[settings.queue]; !exists {
		return fmt.Errorf("enqueue job %s: there is no queue %q", kind, settings.queue)
	}
	if settings.maxAttempts < 1 || settings.maxAttempts > maxAttemptsLimit {
		return fmt.Errorf("enqueue job %s: %d attempts are not between 1 and %d", kind, settings.maxAttempts,
			maxAttemptsLimit)
	}
	encoded, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("enqueue job %s: encode arguments: %w", kind, err)
	}
	if len(encoded) > maxArgsBytes {
		return fmt.Errorf("enqueue job %s: arguments of %d bytes are more than %d", kind, len(encoded), maxArgsBytes)
	}
	// PostgreSQL's jsonb can't hold NUL; found out here, it doesn't cost the transaction.
	if bytes.Contains(encoded, []byte(`\u0000`)) {
		return fmt.Errorf("enqueue job %s: arguments hold a NUL character", kind)
	}
	carried, err := carry(ctx)
	if err != nil {
		return fmt.Errorf("enqueue job %s: %w", kind, err)
	}
	var uniqueKey []byte
	if settings.uniqueKey != "" {
		sum := sha256.Sum256([]byte(kind + "\x00" + settings.uniqueKey))
		uniqueKey = sum[:]
	}
	delay := max(settings.delay, 0)
	tx.Queue(insertJob, encoded, kind, settings.maxAttempts, carried, settings.queue, delay.Seconds(), uniqueKey)
	tx.AfterCommit(func() {
		q.metrics.enqueued.WithLabelValues(kind).Inc()
		if delay == 0 {
			q.wakeUp(settings.queue)
		}
	})
	return nil
}

// wakeUp has the processes that work the queue look for jobs. It never blocks: wakes that come while one is waiting to
// be sent are one.
func (q *Queue) wakeUp(queue string) {
	select {
	case q.wakes[queue] <- struct{}{}:
	default:
	}
}

// wakePause is the least time between two notifications of a queue.
const wakePause = 20 * time.Millisecond

// sendWakes tells River's listeners, in every process, about new jobs of a queue. The channel and the payload are
// River's; were they to change, jobs would wait for the poll, which a test holds against.
func (q *Queue) sendWakes(ctx context.Context, queue string) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-q.wakes[queue]:
		}
		if err := q.notify(ctx, queue); err != nil && ctx.Err() == nil {
			// The poll is the safety net.
			q.logger.WarnContext(ctx, "wake job workers", slog.String("queue", queue), slog.Any("error", err))
		}
		if clock.Sleep(ctx, wakePause) != nil {
			return
		}
	}
}

func (q *Queue) notify(ctx context.Context, queue string) error {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	const notify = `select pg_notify(current_schema() || '.river_insert', json_build_object('queue', $1::text)::text)`
	_, err := q.config.DB.WorkerPool().Exec(ctx, notify, queue)
	return err
}

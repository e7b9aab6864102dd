package job

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/braidhq/braid/platform/pg"
)

const (
	// beatEvery is how often a process says that it is alive; deadAfter is when others no longer believe it.
	beatEvery = 2 * time.Second
	deadAfter = 10 * time.Second
	// beatTimeout keeps a slow database from making beats pile up.
	beatTimeout = 5 * time.Second
)

const insertBeat = `insert into job_client (id, seen_at) values ($1, now())
on conflict (id) do update set seen_at = excluded.seen_at`

// beat says that this process is alive.
func (q *Queue) beat(ctx context.Context) error {
	err := q.config.DB.InWorkerTx(ctx, func(_ context.Context, tx *pg.Tx) error {
		tx.Queue(insertBeat, q.clientID)
		return nil
	})
	if err != nil {
		return fmt.Errorf("tell that jobs are worked: %w", err)
	}
	return nil
}

// forget says that this process is gone.
func (q *Queue) forget(ctx context.Context) error {
	err := q.config.DB.InWorkerTx(ctx, func(_ context.Context, tx *pg.Tx) error {
		tx.Queue(`delete from job_client where id = $1`, q.clientID)
		return nil
	})
	if err != nil {
		return fmt.Errorf("tell that jobs are no longer worked: %w", err)
	}
	return nil
}

// keepAlive beats, and gives back the jobs of processes that no longer do. River alone would wait for the longest time
// that a job may take. A process that was only held up may finish a job that was given back: it is worked twice then,
// which handlers must bear anyway.
func (q *Queue) keepAlive(ctx context.Context) {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := q.beatAndRescue(ctx); err != nil && ctx.Err() == nil {
			q.logger.WarnContext(ctx, "look after jobs", slog.Any("error", err))
		}
	}
}

// A job on its last attempt is left to River, which gives it up: it may be what kills the process.
const giveBack = `update river_job set state = 'available', scheduled_at = now()
where state = 'running' and attempt < max_attempts and attempted_at < now() - $1::interval
and not exists (select from job_client
	where id = attempted_by[array_upper(attempted_by, 1)] and seen_at > now() - $1::interval)`

func (q *Queue) beatAndRescue(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	var given int64
	err := q.config.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		tx.Queue(insertBeat, q.clientID)
		tag, err := tx.Exec(ctx, giveBack, deadAfter)
		if err != nil {
			return fmt.Errorf("give back jobs of dead processes: %w", err)
		}
		given = tag.RowsAffected()
		tx.Queue(`delete from job_client where seen_at < now() - interval '1 hour'`)
		return nil
	})
	if err != nil {
		return err
	}
	if given > 0 {
		q.metrics.rescued.Add(float64(given))
		q.logger.WarnContext(ctx, "jobs of a dead process were given back", slog.Int64("jobs", given))
		for name := range q.wakes {
			q.wakeUp(name)
		}
	}
	return nil
}

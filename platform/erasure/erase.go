package erasure

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
)

const (
	// relayWait is how long an erasure is put off while events of the organization are still to leave.
	relayWait = 200 * time.Millisecond
	// maxPasses bounds one try: a pass that finds nothing is the last.
	maxPasses = 10
)

// standing is how far an erasure is.
type standing struct {
	kind      *Kind
	attemptID id.ID
	phase     string
	failures  int
	counts    map[string]int64
}

const (
	claim = `update erasure set next_at = $2 where id = (
    select id from erasure where next_at <= $1 order by next_at limit 1 for update skip locked) returning id, kind`

	getStanding = `select kind, attempt_id, phase, failures, counts from erasure where id = $1 for update`
)

func readStanding(ctx context.Context, tx *pg.Tx, subjectID id.ID) (found standing, err error) {
	var kind string
	err = tx.QueryRow(ctx, getStanding, subjectID).Scan(&kind, &found.attemptID, &found.phase, &found.failures, &found.counts)
	if err != nil {
		return standing{}, fmt.Errorf("read erasure: %w", err)
	}
	found.kind = kindOf(kind)
	return found, nil
}

// Next takes the erasure that is due for the longest time as far as it goes, and reports whether there was one.
func (e *Eraser) Next(ctx context.Context) (bool, error) {
	var subjectID id.ID
	var name string
	err := e.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		now := e.Clock.Now()
		return tx.QueryRow(ctx, claim, now, now.Add(lease)).Scan(&subjectID, &name)
	})
	switch {
	case errors.Is(err, pg.ErrNoRows):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("claim erasure: %w", err)
	}
	kind := kindOf(name)
	ctx = kind.AsSystem(ctx, subjectID, call.From(ctx).CorrelationID)
	if err := e.erase(ctx, kind, subjectID); err != nil && ctx.Err() == nil {
		return true, e.postpone(ctx, subjectID, err)
	}
	return true, nil
}

// erase goes over all tables until a whole pass has found nothing, and confirms.
func (e *Eraser) erase(ctx context.Context, kind *Kind, subjectID id.ID) error {
	if err := e.forget(ctx, subjectID); err != nil {
		return err
	}
	if waits, err := e.waits(ctx, kind, subjectID); err != nil || waits {
		return err
	}
	for range maxPasses {
		erased, err := e.pass(ctx, kind, subjectID)
		if err != nil {
			return err
		}
		if erased == 0 {
			return e.confirm(ctx, subjectID)
		}
	}
	return fmt.Errorf("rows of %s %s came back %d times", kind.Name, subjectID, maxPasses)
}

// waits puts the erasure off while the service has something to do for the person before.
func (e *Eraser) waits(ctx context.Context, kind *Kind, subjectID id.ID) (waits bool, err error) {
	if kind != Person || e.Own.People.Waits == nil {
		return false, nil
	}
	err = e.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		if waits, err = e.Own.People.Waits(ctx, tx, subjectID); err != nil || !waits {
			return err
		}
		return e.putOff(ctx, tx, subjectID)
	})
	return waits, err
}

// putOff has the erasure looked at again in a moment.
func (e *Eraser) putOff(ctx context.Context, tx *pg.Tx, subjectID id.ID) error {
	tx.AfterCommit(func() { time.AfterFunc(relayWait, e.wake) })
	_, err := tx.Exec(ctx, setNext, subjectID, e.Clock.Now().Add(relayWait))
	return err
}

// forget makes sure that nothing which is heard later brings anything back.
func (e *Eraser) forget(ctx context.Context, subjectID id.ID) error {
	var forgotten map[id.ID]bool
	err := e.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) (err error) {
		forgotten, err = inbox.Forgotten(ctx, tx, []id.ID{subjectID})
		return err
	})
	if err != nil || forgotten[subjectID] {
		return err
	}
	return e.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		return inbox.Forget(ctx, tx, subjectID, e.Clock.Now())
	})
}

// pass erases what there is at this moment, and returns how many rows that were.
func (e *Eraser) pass(ctx context.Context, kind *Kind, subjectID id.ID) (total int64, err error) {
	sweeps, err := e.plan(ctx, e.DB.WorkerRead(), kind)
	if err != nil {
		return 0, err
	}
	pace := newPace()
	for _, sweep := range sweeps {
		for after := ""; ; {
			started := time.Now()
			next, erased, err := e.batch(ctx, subjectID, sweep, after, pace.rows)
			if err != nil {
				return total, fmt.Errorf("erase %s: %w", sweep.Name, err)
			}
			total += erased
			e.rows.Add(float64(erased))
			if next == "" {
				break
			}
			if err := clock.Sleep(ctx, pace.after(time.Since(started))); err != nil {
				return total, err
			}
			after = next
		}
	}
	return total, nil
}

const countRows = `update erasure set next_at = $2,
    counts = case when $4::bigint = 0 then counts
        else jsonb_set(counts, array[$3::text], to_jsonb(coalesce((counts->>$3::text)::bigint, 0) + $4::bigint)) end
where id = $1`

// batch is one short transaction, which counts what it erases, and shows that somebody is at it.
func (e *Eraser) batch(ctx context.Context, subjectID id.ID, sweep Sweep, after string, atMost int) (next string, erased int64, err error) {
	err = e.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		if next, erased, err = sweep.Erase(ctx, tx, subjectID, after, atMost); err != nil {
			return err
		}
		tx.Queue(countRows, subjectID, e.Clock.Now().Add(lease), sweep.Name, erased)
		return nil
	})
	return next, erased, err
}

const (
	anyLeaving = `select exists (select from outbox where organization_id = $1 or organization_id is null and key = $1)`

	setNext = `update erasure set next_at = $2 where id = $1`

	// endErasing forgets what pseudonyms were made of.
	endErasing = `update erasure set next_at = null, seed = null where id = $1`

	markErased = `update erasure set phase = 'erased', failures = 0, next_at = $2 where id = $1`
)

// confirm says that nothing is left, once the last event has left as well. When that has been said before, this was the
// second look.
func (e *Eraser) confirm(ctx context.Context, subjectID id.ID) error {
	return e.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		found, err := readStanding(ctx, tx, subjectID)
		if err != nil {
			return err
		}
		if found.phase == "erased" {
			_, err := tx.Exec(ctx, endErasing, subjectID)
			return err
		}
		var waiting bool
		if err := tx.QueryRow(ctx, anyLeaving, subjectID).Scan(&waiting); err != nil {
			return fmt.Errorf("look for events: %w", err)
		}
		if waiting {
			return e.putOff(ctx, tx, subjectID)
		}
		if _, err := tx.Exec(ctx, markErased, subjectID, e.Clock.Now().Add(secondLook)); err != nil {
			return err
		}
		e.Logger.InfoContext(ctx, found.kind.Name+" erased", slog.String("id", subjectID.String()))
		return e.tellErased(ctx, tx, subjectID, found)
	})
}

const noteFailure = `update erasure set failures = failures + 1, next_at = $2 where id = $1`

// postpone plans the next try after one that failed, and tells of that.
func (e *Eraser) postpone(ctx context.Context, subjectID id.ID, cause error) error {
	e.failures.Inc()
	e.Logger.ErrorContext(ctx, "an erasure failed, tried again later",
		slog.String("id", subjectID.String()), slog.String("cause", cause.Error()))
	return e.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		found, err := readStanding(ctx, tx, subjectID)
		if err != nil {
			return err
		}
		failures := found.failures + 1
		if _, err := tx.Exec(ctx, noteFailure, subjectID, e.Clock.Now().Add(bus.Backoff(failures, retryBase, retryLimit))); err != nil {
			return err
		}
		return e.tellDelayed(ctx, tx, request{found.kind, subjectID, found.attemptID}, failures, cause)
	})
}

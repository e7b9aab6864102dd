package pg

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
)

const (
	// transactionAttempts bounds how often a transaction that lost a conflict is run.
	transactionAttempts = 5
	// conflictPause is the longest wait before the second attempt; it doubles with each further one.
	conflictPause = 5 * time.Millisecond
)

// InTx runs work in a transaction of the app role with the scope's rows visible, and commits when it returns nil. A
// serialization failure or a deadlock runs work again (a few times, after a short random pause), so work must not
// change anything but the database and what it overwrites. A lost COMMIT is never repeated: see ErrCommitUnknown.
func (db *DB) InTx(ctx context.Context, scope Scope, work func(ctx context.Context, tx *Tx) error) error {
	return db.run(ctx, "app", func() *Tx { return &Tx{db: db, pool: db.app, scope: scope, scoped: true} }, work)
}

// InWorkerTx is InTx under the worker role, which sees the rows of every tenant in the tables it was granted.
func (db *DB) InWorkerTx(ctx context.Context, work func(ctx context.Context, tx *Tx) error) error {
	return db.run(ctx, "worker", func() *Tx { return &Tx{db: db, pool: db.worker} }, work)
}

func (db *DB) run(ctx context.Context, role string, begin func() *Tx, work func(context.Context, *Tx) error) error {
	ctx, cancel := db.withDeadline(ctx)
	defer cancel()
	for attempt := 1; ; attempt++ {
		tx := begin()
		err := attemptOnce(ctx, tx, work)
		if err == nil {
			db.metrics.transactions.WithLabelValues(role, "committed").Inc()
			for _, hook := range tx.hooks {
				hook()
			}
			return nil
		}
		cause := retryCause(tx, err)
		if cause == "" || attempt == transactionAttempts || pause(ctx, attempt) != nil {
			db.metrics.transactions.WithLabelValues(role, outcomeOf(err)).Inc()
			return err
		}
		db.metrics.retries.WithLabelValues(role, cause).Inc()
	}
}

// attemptOnce runs work once and ends its transaction whatever happens, a panic included.
func attemptOnce(ctx context.Context, tx *Tx, work func(context.Context, *Tx) error) error {
	defer tx.end(ctx)
	if err := work(ctx, tx); err != nil {
		return err
	}
	return tx.commit(ctx)
}

// retryCause says why a transaction may run again, or "". It also looks at what the transaction itself saw: work may
// have put an error of its own in place of the driver's.
func retryCause(tx *Tx, err error) string {
	switch {
	case errors.Is(err, ErrCommitUnknown):
		return ""
	case isConflict(err), isConflict(tx.failure):
		return "conflict"
	case !tx.begun && tx.failure != nil && isStale(tx.failure):
		return "stale_connection"
	}
	return ""
}

// pause waits a random while before the next attempt, so that two that collided do not collide again.
func pause(ctx context.Context, attempt int) error {
	return clock.Sleep(ctx, rand.N(conflictPause<<(attempt-1)))
}

func outcomeOf(err error) string {
	if errors.Is(err, ErrCommitUnknown) {
		return "unknown"
	}
	switch errs.KindOf(Translate(err)) {
	case errs.Unavailable, errs.DeadlineExceeded, errs.Internal:
		return "failed"
	}
	return "rolled_back"
}

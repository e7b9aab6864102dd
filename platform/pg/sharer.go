package pg

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/id"
)

// sharer is one who may become a member of a shared transaction.
type sharer struct {
	scope Scope
	key   id.ID
	// called brings the transaction, or nil for the turn alone.
	called chan *sharedTx
	// wake says that the answer is there, or the end.
	wake chan struct{}

	shared *sharedTx
	// What follows belongs to the member while it runs, and to whoever sends while it rests.
	state sharerState
	// statements are what is to be sent; of the last of them the answer is wanted when the member waits.
	statements []statement
	result     pointResult
	// sent is set once anything of the member may have happened.
	sent bool
	// outcome is why nobody knows whether the commit has happened; nil when it has.
	outcome error
}

type sharerState int

const (
	sharerRuns sharerState = iota
	sharerWaits
	sharerDone
)

var errLeft = errors.New("a member of the shared transaction ended early")

// take runs work as a member of a shared transaction. settled is false when it was rolled back for a reason that may be
// another's: work is run again then, alone.
func (s *sharer) take(ctx context.Context, db *DB, shared *sharedTx, work func(context.Context, *Tx) error) (settled bool, err error) {
	s.shared = shared
	tx := &Tx{db: db, scope: s.scope, scoped: true, sharer: s}
	returned := false
	defer func() {
		tx.finished = true
		if !returned {
			shared.breakUp(errLeft) // A panic goes its way; the others go theirs.
		}
	}()
	if err = work(ctx, tx); err == nil {
		err = Translate(ctx.Err())
	}
	returned = true
	if err != nil && s.sent {
		shared.breakUp(err)
	}
	if shared.failure() != nil {
		return false, nil
	}
	s.state, s.statements = sharerDone, tx.queued
	if err != nil {
		// Nothing went to the database and nothing came from there: the others need not know.
		s.statements = nil
		_ = shared.rest()
		return true, err
	}
	if shared.rest() != nil {
		return false, nil
	}
	<-s.wake
	if shared.failure() != nil {
		return false, nil
	}
	if s.outcome == nil {
		for _, hook := range tx.hooks {
			hook()
		}
	}
	return true, s.outcome
}

// query has statements sent with those of the other members, and returns the answer to the last of them.
func (s *sharer) query(ctx context.Context, statements []statement) (pgx.Rows, error) {
	err := s.shared.failure()
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		s.state, s.statements, s.sent = sharerWaits, statements, true
		err = s.shared.rest()
	}
	if err == nil {
		select {
		case <-s.wake:
			err = s.shared.failure()
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		s.shared.breakUp(err)
		err = Translate(err)
		return failedRows{err}, err
	}
	s.state, s.statements = sharerRuns, nil
	return &pointRows{pointResult: s.result, types: takeTypes(), current: -1}, nil
}

// resume wakes a member that rests. One that has gone does not hear it.
func (s *sharer) resume() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

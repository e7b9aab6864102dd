package pg

import (
	"context"
	"errors"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

var errSharedLife = errors.New("the shared transaction took too long")

// sharedTx is one transaction of several members. Each runs its work in its own goroutine. When all of them wait for an
// answer or are done, the one that came last sends what they wait for, each behind its scope, in one go; when all are
// done it sends COMMIT. So there is no goroutine of its own, and never more than one that uses the connection.
type sharedTx struct {
	db      *DB
	members []*sharer
	// life ends when the transaction has taken too long.
	life   context.Context
	end    context.CancelFunc
	expire func() bool

	// connection and begun belong to whoever sends.
	connection *pgxpool.Conn
	begun      bool
	// scope is the one that was set last.
	scope *Scope

	mu sync.Mutex
	// running counts the members whose work goes on: nothing is sent before it is none.
	running int
	// sending is set while somebody uses the connection; it is set for good by what ends the transaction.
	sending bool
	// committing is set when it is too late to break up.
	committing bool
	// broken is why all is rolled back and every member goes alone.
	broken error
}

func newSharedTx(db *DB, members []*sharer) *sharedTx {
	shared := &sharedTx{db: db, members: members, running: len(members)}
	shared.life, shared.end = context.WithTimeout(context.Background(), db.sharing.life)
	shared.expire = context.AfterFunc(shared.life, func() { shared.breakUp(errSharedLife) })
	return shared
}

// rest says that a member waits for its statements' answer or is done. The last to rest does the sending.
func (s *sharedTx) rest() error {
	s.mu.Lock()
	if s.broken != nil {
		defer s.mu.Unlock()
		return s.broken
	}
	s.running--
	last := s.running == 0 && !s.sending
	s.sending = s.sending || last
	s.mu.Unlock()
	if last {
		s.send()
	}
	return nil
}

// breakUp has everything rolled back and every member go alone. It does nothing once COMMIT is on its way.
func (s *sharedTx) breakUp(cause error) {
	s.mu.Lock()
	if s.broken != nil || s.committing {
		s.mu.Unlock()
		return
	}
	s.broken = cause
	free := !s.sending
	s.sending = true
	s.mu.Unlock()
	// Whoever is sending sees it afterwards.
	if free {
		s.finish("rolled_back")
	}
}

// send sends one round for all members and hands out the answers.
func (s *sharedTx) send() {
	waiting := s.waiting()
	if len(waiting) == 0 {
		s.commit()
		return
	}
	err := s.round(s.life, waiting, nil)
	s.mu.Lock()
	if err != nil && s.broken == nil {
		s.broken = err
	}
	if s.broken != nil {
		s.mu.Unlock()
		s.finish("rolled_back")
		return
	}
	s.sending = false
	s.running = len(waiting)
	s.mu.Unlock()
	for _, member := range waiting {
		member.resume()
	}
}

// waiting returns the members that wait for an answer. None is running, so nobody changes what they wait for.
func (s *sharedTx) waiting() []*sharer {
	var waiting []*sharer
	for _, member := range s.members {
		if member.state == sharerWaits {
			waiting = append(waiting, member)
		}
	}
	return waiting
}

// failure returns why every member goes alone, or nil.
func (s *sharedTx) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// commit sends what the members have left queued, and COMMIT. Past that point an error says whether the outcome is known.
func (s *sharedTx) commit() {
	s.mu.Lock()
	s.committing = s.broken == nil
	s.mu.Unlock()
	if !s.committing {
		s.finish("rolled_back")
		return
	}
	err := s.sendCommit()
	switch {
	case err == nil:
		s.finish("committed")
	case errors.Is(err, ErrCommitUnknown):
		for _, member := range s.members {
			member.outcome = err
		}
		s.finish("unknown")
	default:
		s.mu.Lock()
		s.broken = err
		s.mu.Unlock()
		s.finish("rolled_back")
	}
}

func (s *sharedTx) sendCommit() error {
	queued := false
	for _, member := range s.members {
		queued = queued || len(member.statements) > 0
	}
	if !s.begun && !queued {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), finishTimeout)
	defer cancel()
	var tag pgconn.CommandTag
	err := s.round(ctx, s.members, &tag)
	switch {
	case err != nil && s.connection != nil && s.connection.Conn().IsClosed() && !pgconn.SafeToRetry(err):
		return commitUnknown(err)
	case err == nil && tag.String() != "COMMIT":
		return errors.New("commit: the server rolled the transaction back")
	}
	return err
}

// finish ends the transaction, rolling back what is not committed, then the turn, and wakes whoever waits.
func (s *sharedTx) finish(outcome string) {
	s.expire()
	s.end()
	if s.connection != nil {
		endSession(context.Background(), s.connection)
	}
	s.db.metrics.transactions.WithLabelValues("app", outcome).Inc()
	s.db.sharing.pass()
	for _, member := range s.members {
		member.resume()
	}
}

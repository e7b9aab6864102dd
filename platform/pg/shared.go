package pg

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/braidhq/braid/platform/id"
)

const (
	// maxSharers bounds the members of a shared transaction. From 16 on, more of them saved next to nothing.
	maxSharers = 32
	// maxShareQueue bounds who waits for the turn; the rest goes alone.
	maxShareQueue = 1024
	// sharePatience is how long somebody waits for the turn before going alone: a turn takes a few milliseconds, unless
	// one in it waits for a lock, which must not hold up the others.
	sharePatience = 25 * time.Millisecond
	// sharedConns is how many connections shared transactions have: one is at work, another may still be ending.
	sharedConns = 2
	// sharedLife bounds a shared transaction up to its commit, the work of its members included.
	sharedLife = 500 * time.Millisecond
)

// InSharedTx is InTx for work that may share its transaction, and so its commit, with other work that is waiting at the
// same moment. Nobody waits for company: who comes alone goes alone. Each member keeps its own scope, which goes ahead
// of each of its statements, and its own outcome: when anything goes wrong with any of them, all is rolled back and
// each is run again in a transaction of its own.
//
// Locks do not hold members of one transaction apart, so key must: it names what the work changes and decides by, and no
// two members have the same. Beside what InTx asks of it, work must not change settings or set savepoints, and whatever
// is deferred to the commit must not depend on the scope.
func (db *DB) InSharedTx(ctx context.Context, scope Scope, key id.ID, work func(ctx context.Context, tx *Tx) error) error {
	ctx, cancel := db.withDeadline(ctx)
	defer cancel()
	sharer := &sharer{scope: scope, key: key, called: make(chan *sharedTx, 1), wake: make(chan struct{}, 1)}
	shared, turn := db.sharing.join(ctx, sharer)
	switch {
	case shared != nil:
		if settled, err := sharer.take(ctx, db, shared, work); settled {
			db.metrics.shared.WithLabelValues(sharedOutcome(err)).Inc()
			return err
		}
		db.metrics.shared.WithLabelValues("replayed").Inc()
	case turn:
		defer db.sharing.passInTime()()
		db.metrics.shared.WithLabelValues("alone").Inc()
	default:
		db.metrics.shared.WithLabelValues("overtaking").Inc()
	}
	return db.InTx(ctx, scope, work)
}

func sharedOutcome(err error) string {
	if err == nil {
		return "committed"
	}
	return outcomeOf(err)
}

// sharing gives out the turn: in a process there is one shared transaction at a time. While somebody has the turn the
// others gather, and those who have gathered have the next together. With two turns there were fewer in each, which cost
// more than the waiting. It has no goroutine: the last of one turn begins the next.
type sharing struct {
	db             *DB
	patience, life time.Duration

	mu      sync.Mutex
	taken   bool
	waiting []*sharer
}

func newSharing(db *DB) *sharing { return &sharing{db: db, patience: sharePatience, life: sharedLife} }

// join waits for the turn. It returns the transaction that the sharer is a member of, or that it has the turn for itself
// and must pass it on, or neither: then it goes alone without a turn.
func (s *sharing) join(ctx context.Context, joining *sharer) (shared *sharedTx, turn bool) {
	s.mu.Lock()
	if !s.taken {
		s.taken = true
		s.mu.Unlock()
		return nil, true
	}
	if len(s.waiting) >= maxShareQueue {
		s.mu.Unlock()
		return nil, false
	}
	s.waiting = append(s.waiting, joining)
	s.db.metrics.shareQueue.Set(float64(len(s.waiting)))
	s.mu.Unlock()
	timer := time.NewTimer(s.patience)
	defer timer.Stop()
	select {
	case shared = <-joining.called:
		return shared, true
	case <-timer.C:
	case <-ctx.Done():
	}
	if s.forget(joining) {
		return nil, false
	}
	return <-joining.called, true // Called at the same moment.
}

// forget takes a sharer out of the queue, and reports whether it was still there.
func (s *sharing) forget(leaving *sharer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	position := slices.Index(s.waiting, leaving)
	if position < 0 {
		return false
	}
	s.waiting = slices.Delete(s.waiting, position, position+1)
	s.db.metrics.shareQueue.Set(float64(len(s.waiting)))
	return true
}

// pass ends a turn and begins the next with those who wait. One who waits alone gets the turn for an ordinary
// transaction.
func (s *sharing) pass() {
	s.mu.Lock()
	chosen := s.choose()
	s.taken = len(chosen) > 0
	s.mu.Unlock()
	switch len(chosen) {
	case 0:
	case 1:
		chosen[0].called <- nil
	default:
		shared := newSharedTx(s.db, chosen)
		for _, member := range chosen {
			member.called <- shared
		}
	}
}

// passInTime is for one who has the turn alone: it passes it on when the function it returns is called, or sooner when
// that takes long. Who waits for a lock must not have everybody wait.
func (s *sharing) passInTime() (pass func()) {
	once := sync.OnceFunc(s.pass)
	late := time.AfterFunc(s.patience, once)
	return func() {
		late.Stop()
		once()
	}
}

// choose takes the first of each key out of the queue. They are in the order of their keys, in which they will lock
// rows: two processes that do the same do not wait for each other in a circle.
func (s *sharing) choose() []*sharer {
	var chosen []*sharer
	keys := make(map[id.ID]struct{}, min(len(s.waiting), maxSharers))
	rest := s.waiting[:0]
	for _, waiting := range s.waiting {
		if _, taken := keys[waiting.key]; taken || len(chosen) == maxSharers {
			rest = append(rest, waiting)
			continue
		}
		keys[waiting.key] = struct{}{}
		chosen = append(chosen, waiting)
	}
	clear(s.waiting[len(rest):])
	s.waiting = rest
	s.db.metrics.shareQueue.Set(float64(len(s.waiting)))
	slices.SortFunc(chosen, func(a, b *sharer) int { return bytes.Compare(a.key[:], b.key[:]) })
	return chosen
}

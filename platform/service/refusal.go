package service

import (
	"bytes"
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/pg"
)

const (
	// refusalInterval is the least time between two events of one member and permission.
	refusalInterval = time.Minute
	// refusalPause is the least time between two rounds of writing, so that a storm costs as much as a few refusals.
	refusalPause = 500 * time.Millisecond
	// refusalSweep is how often a process looks for what has become due, whoever counted it, and tries again what failed.
	refusalSweep = 5 * time.Second
	maxRefusals  = 10_000
	refusalBatch = 500
	// refusalTimeout bounds a round, refusalLastTimeout the one at the stop.
	refusalTimeout     = 10 * time.Second
	refusalLastTimeout = 5 * time.Second
)

type refusalKey struct {
	organizationID id.ID
	userID         id.ID
	permission     string
}

func compareRefusals(a, b refusalKey) int {
	return cmp.Or(bytes.Compare(a.organizationID[:], b.organizationID[:]), bytes.Compare(a.userID[:], b.userID[:]),
		cmp.Compare(a.permission, b.permission))
}

// refusal is what was refused under one key since it was last written.
type refusal struct {
	latest refusedCall
	count  int64
}

// refusals tells the audit of refused accesses, by the outbox: of a member and permission the first at once, what follows
// at most once a minute with its count, whichever processes of the service refused. A request only counts in memory. The
// part adds that to the table refusal, which holds the minute for all processes, and makes events of what is due there;
// at the stop it writes the rest, after the doors have drained. What does not fit the memory's bounds is counted in a
// metric and let go: an attacker must not fill our memory or our log of facts.
type refusals struct {
	db     *pg.DB
	clock  clock.Clock
	logger *slog.Logger
	// wake holds a value when there is something to write.
	wake chan struct{}
	// dropped counts refusals that found no room.
	dropped prometheus.Counter

	mu      sync.Mutex
	counted map[refusalKey]refusal
}

func newRefusals(service string, db *pg.DB, clock clock.Clock, logger *slog.Logger, registerer prometheus.Registerer) *refusals {
	dropped := promauto.With(prometheus.WrapRegistererWith(prometheus.Labels{"service": service}, registerer)).NewCounter(prometheus.CounterOpts{
		Name: "braid_service_refusals_dropped_total",
		Help: "Refused accesses that were not recorded because too many others were.",
	})
	return &refusals{
		db: db, clock: clock, logger: logger, wake: make(chan struct{}, 1), dropped: dropped, counted: map[refusalKey]refusal{},
	}
}

// Refused implements rpc.Refusals.
func (r *refusals) Refused(ctx context.Context, permission, reason string) {
	work := call.From(ctx)
	if !r.count(refusalKey{work.OrganizationID, work.Actor.UserID, permission}, refusedCallOf(work, reason)) {
		r.dropped.Inc()
		return
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// count reports whether there was room.
func (r *refusals) count(key refusalKey, latest refusedCall) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.counted[key]
	if !ok && len(r.counted) >= maxRefusals {
		return false
	}
	r.counted[key] = refusal{latest: latest, count: known.count + 1}
	return true
}

func (r *refusals) part(service string) module.Part {
	return module.Part{Name: service + ".refusals", Run: r.run}
}

func (r *refusals) run(ctx context.Context) error {
	sweep := time.NewTicker(refusalSweep)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-sweep.C:
		}
		if ctx.Err() != nil {
			r.writeLast(context.WithoutCancel(ctx))
			return nil
		}
		pause := refusalPause
		if err := r.write(ctx, refusalTimeout); err != nil {
			pause = refusalSweep
			if ctx.Err() == nil {
				r.logger.WarnContext(ctx, "refused accesses not recorded, tried again later", slog.String("cause", err.Error()))
			}
		}
		_ = clock.Sleep(ctx, pause) // Its end is seen above.
	}
}

// writeLast writes what is still in memory. Its events may have to wait for their minute in the table, where the
// processes that go on or come next find them.
func (r *refusals) writeLast(ctx context.Context) {
	if len(r.batch()) == 0 {
		return
	}
	if err := r.write(ctx, refusalLastTimeout); err != nil {
		var lost int64
		for _, rest := range r.batch() {
			lost += rest.count
		}
		r.logger.ErrorContext(ctx, "refused accesses lost at the stop", slog.Int64("refusals", lost), slog.String("cause", err.Error()))
	}
}

// write brings what was counted to the table and what is due there to the outbox, in batches of a transaction each. It is
// for one goroutine: two would write the same.
func (r *refusals) write(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for range maxRefusals / refusalBatch {
		batch := r.batch()
		told, err := r.keep(ctx, batch)
		if err != nil {
			return err
		}
		r.forget(batch)
		if len(batch) < refusalBatch && told < refusalBatch {
			break
		}
	}
	return nil
}

// batch returns a copy of some of what was counted. It stays in memory until it is written: a failure loses nothing, and
// takes no more room.
func (r *refusals) batch() map[refusalKey]refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	batch := make(map[refusalKey]refusal, min(len(r.counted), refusalBatch))
	for key, one := range r.counted {
		if len(batch) == refusalBatch {
			break
		}
		batch[key] = one
	}
	return batch
}

// forget takes off what was written.
func (r *refusals) forget(batch map[refusalKey]refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, written := range batch {
		rest := r.counted[key]
		if rest.count -= written.count; rest.count == 0 {
			delete(r.counted, key)
			continue
		}
		r.counted[key] = rest
	}
}

// inOrder returns a batch's keys in the order in which every process locks their rows, so that no two wait for each
// other in a circle.
func inOrder(batch map[refusalKey]refusal) []refusalKey {
	return slices.SortedFunc(maps.Keys(batch), compareRefusals)
}

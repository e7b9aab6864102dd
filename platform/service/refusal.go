package service

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
)

const (
	refusalInterval = time.Minute
	refusalSweep    = 5 * time.Second
	maxRefusals     = 10_000
	refusalQueue    = 1_000
	refusalTimeout  = 10 * time.Second
)

type refusalKey struct {
	organizationID id.ID
	userID         id.ID
	permission     string
}

type refusal struct {
	work  call.Call
	count int32
	// next is when the count may be written; until then it grows.
	next time.Time
}

// refusals writes refused accesses to the outbox for the audit: the first of an actor and permission at once, more of
// them at most once a minute with their count. What does not fit its bounds is counted in a metric and let go: an
// attacker must not fill our memory or our log of facts.
type refusals struct {
	db     *pg.DB
	clock  clock.Clock
	logger *slog.Logger
	queue  chan refusalKey
	// dropped counts refusals that found no room.
	dropped prometheus.Counter

	mu    sync.Mutex
	known map[refusalKey]*refusal
}

func newRefusals(service string, db *pg.DB, clock clock.Clock, logger *slog.Logger, registerer prometheus.Registerer) *refusals {
	dropped := promauto.With(prometheus.WrapRegistererWith(prometheus.Labels{"service": service}, registerer)).NewCounter(prometheus.CounterOpts{
		Name: "braid_service_refusals_dropped_total",
		Help: "Refused accesses that were not recorded because too many others were.",
	})
	return &refusals{
		db: db, clock: clock, logger: logger, queue: make(chan refusalKey, refusalQueue),
		dropped: dropped, known: map[refusalKey]*refusal{},
	}
}

// Refused implements rpc.Refusals.
func (r *refusals) Refused(ctx context.Context, permission string) {
	work := call.From(ctx)
	key := refusalKey{work.OrganizationID, work.Actor.UserID, permission}
	r.mu.Lock()
	known, ok := r.known[key]
	switch {
	case ok:
		known.count++
		known.work = *work
	case len(r.known) < maxRefusals:
		r.known[key] = &refusal{work: *work, count: 1}
	default:
		r.mu.Unlock()
		r.dropped.Inc()
		return
	}
	r.mu.Unlock()
	if ok {
		return
	}
	select {
	case r.queue <- key:
	default:
		// The sweep finds it.
	}
}

func (r *refusals) part(service string) module.Part {
	return module.Part{Name: service + ".refusals", Run: r.run}
}

func (r *refusals) run(ctx context.Context) error {
	ticker := time.NewTicker(refusalSweep)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case key := <-r.queue:
			r.write(ctx, key)
		case <-ticker.C:
			for _, key := range r.due() {
				r.write(ctx, key)
			}
		}
	}
}

// due lists what may be written now, and forgets what was quiet for a minute.
func (r *refusals) due() []refusalKey {
	now := r.clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	var keys []refusalKey
	for key, known := range r.known {
		switch {
		case now.Before(known.next):
		case known.count == 0:
			delete(r.known, key)
		default:
			keys = append(keys, key)
		}
	}
	return keys
}

func (r *refusals) write(ctx context.Context, key refusalKey) {
	now := r.clock.Now()
	r.mu.Lock()
	known, ok := r.known[key]
	if !ok || known.count == 0 || now.Before(known.next) {
		r.mu.Unlock()
		return
	}
	work, count := known.work, known.count
	known.count, known.next = 0, now.Add(refusalInterval)
	r.mu.Unlock()

	ctx, cancel := context.WithTimeout(call.With(ctx, &work), refusalTimeout)
	defer cancel()
	err := r.db.InTx(ctx, pg.ScopeOf(ctx), func(ctx context.Context, tx *pg.Tx) error {
		return outbox.Append(ctx, tx, r.clock, outbox.Event{
			Message:        &platformv1.AccessRefused{Permission: key.permission, Procedure: work.Procedure, Count: count},
			Key:            key.organizationID,
			OrganizationID: key.organizationID,
			Subject:        "member/" + key.userID.String(),
		})
	})
	if err != nil {
		r.logger.WarnContext(ctx, "refused access not recorded, tried again later", slog.String("cause", err.Error()))
		r.mu.Lock()
		defer r.mu.Unlock()
		if known, ok := r.known[key]; ok {
			known.count += count
			known.next = now.Add(refusalSweep)
		}
	}
}

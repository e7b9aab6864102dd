// Package authz answers what a user may do in an organization, from a cache that is never silently stale. The
// organization service owns the truth; this package keeps copies, drops them when the broadcast reader hears of a
// change, and asks the owner on a miss, on a denial and whenever the watermark is old. Without an answer it refuses.
package authz

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

const (
	defaultMaxEntries = 100_000
	askTimeout        = 3 * time.Second
	// A user whose questions are denied over and over costs the owner at most this much.
	deniedPerSecond = 20
	deniedBurst     = 40
	generations     = 1024
)

// Permissions are all that a user may do in an organization. The set must not be changed once it is given away.
type Permissions struct {
	Member bool
	Names  map[string]struct{}
}

// allows reports whether the permission is held; the empty one asks for membership.
func (p Permissions) allows(permission string) bool {
	if !p.Member || permission == "" {
		return p.Member
	}
	_, held := p.Names[permission]
	return held
}

// Source asks the owner.
type Source func(ctx context.Context, organizationID, userID id.ID) (Permissions, error)

// Config is what Access is made of.
type Config struct {
	Source Source
	// Fresh reports whether every change committed more than a second ago has been heard of.
	Fresh      func() bool
	MaxEntries int
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

type key struct{ organizationID, userID id.ID }

// Access is the permission cache of one process.
type Access struct {
	Config
	cache    *otter.Cache[key, Permissions]
	limiters *otter.Cache[id.ID, *rate.Limiter]
	flights  *flights
	// generation counts drops, by hash of the key: an answer asked for before a drop must not be stored after it.
	generation [generations]atomic.Uint64
	seed       maphash.Seed
	asked      *prometheus.CounterVec
}

// New returns an empty cache.
func New(config Config) (*Access, error) {
	if config.MaxEntries == 0 {
		config.MaxEntries = defaultMaxEntries
	}
	cache, err := otter.New(&otter.Options[key, Permissions]{MaximumSize: config.MaxEntries})
	if err != nil {
		return nil, fmt.Errorf("make permission cache: %w", err)
	}
	limiters, err := otter.New(&otter.Options[id.ID, *rate.Limiter]{MaximumSize: config.MaxEntries})
	if err != nil {
		return nil, fmt.Errorf("make limiter cache: %w", err)
	}
	asked := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "braid_authz_owner_questions_total",
		Help: "Questions to the organization service about effective permissions, by cause.",
	}, []string{"cause"})
	if err := config.Registerer.Register(asked); err != nil {
		return nil, fmt.Errorf("register metric: %w", err)
	}
	return &Access{Config: config, cache: cache, limiters: limiters, flights: newFlights(), seed: maphash.MakeSeed(), asked: asked}, nil
}

// Authorize answers nil when the user may, NotFound for one who is no member, PermissionDenied for a member who lacks
// the permission (the empty one asks for membership alone), and Unavailable when nobody can tell.
func (a *Access) Authorize(ctx context.Context, organizationID, userID id.ID, permission string) error {
	wanted := key{organizationID, userID}
	fresh := a.Fresh()
	held, cached := a.cache.GetIfPresent(wanted)
	if fresh && cached && held.allows(permission) {
		return nil
	}
	// Only denials spend the budget: a member of many organizations has many misses after a start, and a right to each.
	budget := a.limiter(userID)
	if fresh && budget.Tokens() < 1 {
		if cached {
			return decide(held, permission)
		}
		return errs.New(errs.ResourceExhausted, "RATE_LIMITED", "Too many requests for things that are not yours.").
			WithRetryAfter(time.Second)
	}
	held, err := a.ask(ctx, wanted, permission, cause(fresh, cached))
	if err != nil {
		return err
	}
	verdict := decide(held, permission)
	if verdict != nil && fresh {
		budget.Allow()
	}
	return verdict
}

func cause(fresh, cached bool) string {
	switch {
	case !fresh:
		return "stale"
	case cached:
		return "denial"
	default:
		return "miss"
	}
}

func (a *Access) ask(ctx context.Context, wanted key, permission, cause string) (Permissions, error) {
	// A flight joined the second time began after the question: one retry is enough.
	for retry := false; ; retry = true {
		held, joined, err := a.flights.do(ctx, wanted, func(ctx context.Context) (Permissions, error) {
			a.asked.WithLabelValues(cause).Inc()
			return a.load(ctx, wanted)
		})
		if err != nil {
			return Permissions{}, unavailable(err)
		}
		if !joined || retry || held.allows(permission) {
			return held, nil
		}
	}
}

// load asks the owner and keeps the answer, unless the key was dropped meanwhile.
func (a *Access) load(ctx context.Context, wanted key) (Permissions, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	generation := a.generationOf(wanted)
	before := generation.Load()
	held, err := a.Source(ctx, wanted.organizationID, wanted.userID)
	if err != nil {
		return Permissions{}, err
	}
	if generation.Load() != before {
		return held, nil
	}
	a.cache.Set(wanted, held)
	// Looked at again: a drop between the look and the store must win.
	if generation.Load() != before {
		a.cache.Invalidate(wanted)
	}
	return held, nil
}

// Drop forgets what is known of a user in an organization: called by the broadcast reader for every change, and by
// the process that made the change right after its commit.
func (a *Access) Drop(organizationID, userID id.ID) {
	dropped := key{organizationID, userID}
	a.generationOf(dropped).Add(1)
	a.flights.forget(dropped, nil)
	a.cache.Invalidate(dropped)
}

// Clear forgets everything: called when the broadcast reader has lost events.
func (a *Access) Clear() {
	for i := range a.generation {
		a.generation[i].Add(1)
	}
	a.cache.InvalidateAll()
}

func (a *Access) generationOf(of key) *atomic.Uint64 {
	return &a.generation[maphash.Comparable(a.seed, of)%generations]
}

func (a *Access) limiter(userID id.ID) *rate.Limiter {
	if limiter, ok := a.limiters.GetIfPresent(userID); ok {
		return limiter
	}
	limiter, _ := a.limiters.SetIfAbsent(userID, rate.NewLimiter(deniedPerSecond, deniedBurst))
	return limiter
}

func decide(held Permissions, permission string) error {
	switch {
	case !held.Member:
		return errs.New(errs.NotFound, "NOT_FOUND", "There is no such resource, or it is not visible to you.")
	case !held.allows(permission):
		return errs.New(errs.PermissionDenied, "PERMISSION_DENIED", "You lack the permission "+permission+".").With("permission", permission)
	default:
		return nil
	}
}

// unavailable fails closed: without an answer nobody may.
func unavailable(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return errs.New(errs.Unavailable, "UNAVAILABLE", "Your access can't be checked at this moment.").WithCause(err)
}

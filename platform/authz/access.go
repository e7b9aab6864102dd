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
	"github.com/prometheus/client_golang/prometheus/promauto"
	"golang.org/x/time/rate"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

const (
	defaultMaxEntries = 100_000
	askTimeout        = 3 * time.Second
	// A user whose questions are denied over and over costs the owner at most this much.
	deniedPerSecond = 20
	deniedBurst     = 40
	// While nothing remembered can be trusted, every request is a question to the owner: this many are enough for a
	// person at work, and no user's keep the owner from the others'.
	stalePerSecond = 300
	staleBurst     = 600
	generations    = 1024
)

// Permissions are all that a user may do in an organization. The set must not be changed once it is given away.
type Permissions struct {
	Member bool
	// RoleIDs are the roles that the names come from.
	RoleIDs []string
	Names   map[string]struct{}
	// Frozen is why nothing in the organization can be changed, nil when it can.
	Frozen *errs.Error
}

// NewPermissions returns what the owner's answer says.
func NewPermissions(member bool, roleIDs, names []string) Permissions {
	held := Permissions{Member: member, RoleIDs: roleIDs, Names: make(map[string]struct{}, len(names))}
	for _, name := range names {
		held.Names[name] = struct{}{}
	}
	return held
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

// budget is what a user may make the owner answer: denials while the cache is fresh, questions while it is not.
type budget struct{ denials, staleQuestions *rate.Limiter }

type spender struct {
	userID    id.ID
	forOthers bool
}

// Access is the permission cache of one process.
type Access struct {
	Config
	cache   *otter.Cache[key, Permissions]
	budgets *otter.Cache[spender, *budget]
	flights *flights
	// generation counts drops, by hash of the key: an answer asked for before a drop must not be stored after it.
	generation [generations]atomic.Uint64
	seed       maphash.Seed
	asked      *prometheus.CounterVec
	withheld   *prometheus.CounterVec
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
	budgets, err := otter.New(&otter.Options[spender, *budget]{MaximumSize: config.MaxEntries})
	if err != nil {
		return nil, fmt.Errorf("make budget cache: %w", err)
	}
	factory := promauto.With(config.Registerer)
	asked := factory.NewCounterVec(prometheus.CounterOpts{
		Name: "braid_authz_owner_questions_total",
		Help: "Questions to the organization service about effective permissions, by cause.",
	}, []string{"cause"})
	withheld := factory.NewCounterVec(prometheus.CounterOpts{
		Name: "braid_authz_withheld_questions_total",
		Help: "Questions that were not put to the organization service because the user had asked too many, by cause.",
	}, []string{"cause"})
	return &Access{
		Config: config, cache: cache, budgets: budgets, flights: newFlights(), seed: maphash.MakeSeed(), asked: asked, withheld: withheld,
	}, nil
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
	budget, why := a.budgetOf(ctx, userID), cause(fresh, cached)
	switch {
	case !fresh && !budget.staleQuestions.Allow():
		a.withheld.WithLabelValues(why).Inc()
		return errTooManyQuestions
	// Only denials are limited: a member of many organizations has many misses after a start, and a right to each.
	case fresh && budget.denials.Tokens() < 1:
		a.withheld.WithLabelValues(why).Inc()
		if cached {
			return decide(held, permission)
		}
		return errTooManyDenials
	}
	held, err := a.ask(ctx, wanted, permission, why)
	if err != nil {
		return err
	}
	verdict := decide(held, permission)
	if verdict != nil && fresh {
		budget.denials.Allow()
	}
	return verdict
}

// Recall returns what a user holds: what is remembered when that is fresh and grants the permission, else what read
// finds, which is remembered then. It is for the owner's own process, which can tell more cheaply than by asking
// itself; whoever is refused is refused by what read found.
func (a *Access) Recall(ctx context.Context, organizationID, userID id.ID, permission string, read Source) (Permissions, error) {
	wanted := key{organizationID, userID}
	if held, cached := a.cache.GetIfPresent(wanted); cached && held.allows(permission) && a.Fresh() {
		return held, nil
	}
	return a.load(ctx, wanted, read)
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
			return a.load(ctx, wanted, a.Source)
		})
		if err != nil {
			return Permissions{}, unavailable(err)
		}
		if !joined || retry || held.allows(permission) {
			return held, nil
		}
	}
}

// load gets an answer from source and keeps it, unless the key was dropped meanwhile.
func (a *Access) load(ctx context.Context, wanted key, source Source) (Permissions, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	generation := a.generationOf(wanted)
	before := generation.Load()
	held, err := source(ctx, wanted.organizationID, wanted.userID)
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

// budgetOf returns what a question spends. Who asks is not always who is asked about (to assign a task, say): then it
// spends what the asker has for others, and nothing that either needs for their own requests.
func (a *Access) budgetOf(ctx context.Context, userID id.ID) *budget {
	wanted := spender{userID: userID}
	if asking := call.From(ctx).Actor.UserID; !asking.IsZero() && asking != userID {
		wanted = spender{userID: asking, forOthers: true}
	}
	if known, ok := a.budgets.GetIfPresent(wanted); ok {
		return known
	}
	known, _ := a.budgets.SetIfAbsent(wanted, &budget{
		denials: rate.NewLimiter(deniedPerSecond, deniedBurst), staleQuestions: rate.NewLimiter(stalePerSecond, staleBurst),
	})
	return known
}

func decide(held Permissions, permission string) error {
	switch {
	case !held.Member:
		return errs.ErrNotFound
	case !held.allows(permission):
		return errs.New(errs.PermissionDenied, "PERMISSION_DENIED", "You lack the permission "+permission+".").With("permission", permission)
	default:
		return nil
	}
}

var (
	errTooManyDenials = errs.New(errs.ResourceExhausted, "RATE_LIMITED", "Too many requests for things that are not yours.").
				WithRetryAfter(time.Second)
	errTooManyQuestions = errs.New(errs.ResourceExhausted, "RATE_LIMITED", "Your access can't be checked that often at this moment.").
				WithRetryAfter(time.Second)
)

// unavailable fails closed: without an answer nobody may.
func unavailable(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return errs.New(errs.Unavailable, "UNAVAILABLE", "Your access can't be checked at this moment.").WithCause(err)
}

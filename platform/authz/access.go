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

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
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
	// maxGraphs bounds the organizations whose own roles are remembered.
	maxGraphs = 10_000
)

// Source asks the owner, or reads what it reads. The asker knows the organization's roles at a revision; 0 is none.
type Source func(ctx context.Context, organizationID, subjectID id.ID, knownRoles int64) (Answer, error)

// Config is what Access is made of.
type Config struct {
	Source Source
	// Grants asks for operators; nil lets none in.
	Grants GrantSource
	// Fresh reports whether every change committed more than a second ago has been heard of.
	Fresh      func() bool
	Clock      clock.Clock
	MaxEntries int
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// key is whose access it is. What an operator has by a support grant is remembered apart from what the same person may have
// as a member.
type key struct {
	organizationID, userID id.ID
	granted                bool
}

// entry is what is remembered of a subject. It is good while nothing has happened to the whole organization since.
type entry struct {
	Held
	organization uint64
}

// budget is what a user may make the owner answer: denials while the cache is fresh, questions while it is not.
type budget struct{ denials, staleQuestions *rate.Limiter }

type spender struct {
	userID    id.ID
	forOthers bool
}

// Access is the permission cache of one process.
type Access struct {
	Config
	// base are the system roles, graphs the organizations' own over them, at the latest revision that was heard.
	base    *access.Graph
	graphs  *otter.Cache[id.ID, graph]
	cache   *otter.Cache[key, entry]
	budgets *otter.Cache[spender, *budget]
	flights *flights
	// generation counts drops, by hash of the key, and organization those of whole organizations: an answer asked for
	// before a drop must not be stored after it.
	generation   [generations]atomic.Uint64
	organization [generations]atomic.Uint64
	seed         maphash.Seed
	asked        *prometheus.CounterVec
	withheld     *prometheus.CounterVec
}

// New returns an empty cache.
func New(config Config) (*Access, error) {
	if config.MaxEntries == 0 {
		config.MaxEntries = defaultMaxEntries
	}
	base, err := NewBase()
	if err != nil {
		return nil, err
	}
	cache, err := otter.New(&otter.Options[key, entry]{MaximumSize: config.MaxEntries})
	if err != nil {
		return nil, fmt.Errorf("make permission cache: %w", err)
	}
	graphs, err := otter.New(&otter.Options[id.ID, graph]{MaximumSize: maxGraphs})
	if err != nil {
		return nil, fmt.Errorf("make role cache: %w", err)
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
		Config: config, base: base, graphs: graphs, cache: cache, budgets: budgets, flights: newFlights(), seed: maphash.MakeSeed(), asked: asked, withheld: withheld,
	}, nil
}

// Authorize answers nil when the user may in the whole organization, NotFound for one who is no member, PermissionDenied
// for a member who lacks the permission (the empty one asks for membership alone) or calls otherwise than the
// organization's policy wants it, and Unavailable when nobody can tell.
func (a *Access) Authorize(ctx context.Context, organizationID, userID id.ID, permission string) error {
	own := key{organizationID: organizationID, userID: userID}
	operator, err := a.operatorIn(ctx, own)
	if err != nil {
		return err
	}
	if operator != nil {
		_, err = a.letIn(ctx, own, operator, func(wanted key) (call.Undecided, error) { return nil, a.authorize(ctx, wanted, permission) })
		return err
	}
	if err := a.authorize(ctx, own, permission); err != nil {
		return err
	}
	return a.boundByMaker(ctx, own, permission)
}

func (a *Access) authorize(ctx context.Context, wanted key, permission string) error {
	if a.remembers(ctx, wanted, permission, id.ID{}) {
		return nil
	}
	if work := call.From(ctx); work.SelfAlways && permission == "" && work.Actor.UserID == wanted.userID && !wanted.granted {
		held, err := a.hold(ctx, wanted, func(held *Held) bool { return held.Member })
		if err == nil && !held.Member {
			err = errs.ErrNotFound
		}
		return err
	}
	question := a.question(ctx, permission)
	held, err := a.hold(ctx, wanted, func(held *Held) bool {
		return held.allows(&question) && a.meetsPolicy(ctx, wanted.userID, held, permission) == nil
	})
	if err == nil {
		err = a.meetsPolicy(ctx, wanted.userID, &held, permission)
	}
	if err != nil {
		return err
	}
	noteGrant(ctx, &held)
	return held.decide(&question)
}

// hold returns what a user has: what is remembered, where that is fresh and enough, else what the owner says now.
func (a *Access) hold(ctx context.Context, wanted key, enough func(*Held) bool) (Held, error) {
	least, fresh := call.From(ctx).LeastAccessRevision, a.Fresh()
	held, cached := a.recall(wanted)
	cached = cached && held.Revision >= least
	if fresh && cached && enough(&held) {
		return held, nil
	}
	budget, why := a.budgetOf(ctx, wanted.userID), cause(fresh, cached)
	switch {
	case !fresh && !budget.staleQuestions.Allow():
		a.withheld.WithLabelValues(why).Inc()
		return Held{}, errTooManyQuestions
	// Only denials are limited: a member of many organizations has many misses after a start, and a right to each.
	case fresh && budget.denials.Tokens() < 1:
		a.withheld.WithLabelValues(why).Inc()
		if cached {
			return held, nil
		}
		return Held{}, errTooManyDenials
	}
	sufficient := func(held *Held) bool { return held.Revision >= least && enough(held) }
	held, err := a.ask(ctx, wanted, sufficient, why)
	if err != nil {
		return Held{}, err
	}
	if fresh && !sufficient(&held) {
		budget.denials.Allow()
	}
	if held.Member && held.Revision < least {
		return Held{}, errRevisionUnknown
	}
	return held, nil
}

// remembers reports whether what is remembered is fresh and allows the permission everywhere: what nearly every request
// asks, told without making a question of it. The project is that which the request names.
func (a *Access) remembers(ctx context.Context, wanted key, permission string, projectID id.ID) bool {
	held, cached := a.recall(wanted)
	allowed := cached && held.Member && !held.Suspended && (permission == "" || held.Everywhere(permission) && held.unbarred(permission, projectID)) &&
		held.Revision >= call.From(ctx).LeastAccessRevision && a.meetsPolicy(ctx, wanted.userID, &held, permission) == nil && a.Fresh()
	if allowed && wanted.granted {
		noteGrant(ctx, &held)
	}
	return allowed
}

// recall returns what is remembered.
func (a *Access) recall(wanted key) (Held, bool) {
	known, cached := a.cache.GetIfPresent(wanted)
	if !cached || known.organization != a.organizationOf(wanted.organizationID).Load() || known.ended(a.Clock) {
		return Held{}, false
	}
	return known.Held, true
}

// Recall returns what a user holds: what is remembered when that is fresh and enough, else what read finds, which is
// remembered then. It is for the owner's own process, which can tell more cheaply than by asking itself; whoever is
// refused is refused by what read found.
func (a *Access) Recall(ctx context.Context, organizationID, userID id.ID, enough func(*Held) bool, read Source) (Held, error) {
	wanted, least := key{organizationID: organizationID, userID: userID}, call.From(ctx).LeastAccessRevision
	if held, cached := a.recall(wanted); cached && held.Revision >= least && enough(&held) && a.Fresh() {
		return held, nil
	}
	held, err := a.load(ctx, wanted, read)
	if err == nil && held.Member && held.Revision < least {
		return Held{}, errRevisionUnknown
	}
	return held, err
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

func (a *Access) ask(ctx context.Context, wanted key, enough func(*Held) bool, cause string) (Held, error) {
	// A flight joined the second time began after the question: one retry is enough.
	for retry := false; ; retry = true {
		held, joined, err := a.flights.do(ctx, wanted, func(ctx context.Context) (Held, error) {
			a.asked.WithLabelValues(cause).Inc()
			return a.load(ctx, wanted, a.sourceOf(ctx, wanted))
		})
		if err != nil {
			return Held{}, unavailable(err)
		}
		if !joined || retry || enough(&held) {
			return held, nil
		}
	}
}

// load gets an answer from source and keeps it, unless the key was dropped meanwhile.
func (a *Access) load(ctx context.Context, wanted key, source Source) (Held, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	generation, organization := a.generationOf(wanted), a.organizationOf(wanted.organizationID)
	before, organizationBefore := generation.Load(), organization.Load()
	known, _ := a.graphs.GetIfPresent(wanted.organizationID)
	answer, err := source(ctx, wanted.organizationID, wanted.userID, known.revision)
	if err != nil {
		return Held{}, err
	}
	compiled, err := a.compile(wanted.organizationID, known, answer)
	if err != nil {
		return Held{}, err
	}
	held, err := Hold(compiled, wanted.userID, answer)
	if err != nil {
		return Held{}, err
	}
	if generation.Load() != before || organization.Load() != organizationBefore {
		return held, nil
	}
	a.cache.Set(wanted, entry{held, organizationBefore})
	// Looked at again: a drop between the look and the store must win. That of an organization is told by the entry.
	if generation.Load() != before {
		a.cache.Invalidate(wanted)
	}
	return held, nil
}

// compile returns the organization's roles as the answer means them, and remembers them.
func (a *Access) compile(organizationID id.ID, known graph, answer Answer) (*access.Graph, error) {
	if !answer.Member || answer.RolesRevision == 0 {
		return a.base, nil
	}
	if answer.RolesRevision == known.revision {
		return known.Graph, nil
	}
	compiled, err := NewGraph(a.base, answer.Roles, answer.Permissions)
	if err != nil {
		return nil, fmt.Errorf("compile the roles of %s: %w", organizationID, err)
	}
	a.graphs.Compute(organizationID, func(stored graph, found bool) (graph, otter.ComputeOp) {
		if found && stored.revision > answer.RolesRevision {
			return stored, otter.CancelOp
		}
		return graph{answer.RolesRevision, compiled}, otter.WriteOp
	})
	return compiled, nil
}

// Drop forgets what is known of a user in an organization: called by the broadcast reader for every change, and by
// the process that made the change right after its commit.
func (a *Access) Drop(organizationID, userID id.ID) {
	for _, granted := range []bool{false, true} {
		dropped := key{organizationID, userID, granted}
		a.generationOf(dropped).Add(1)
		a.flights.forget(dropped, nil)
		a.cache.Invalidate(dropped)
	}
}

// DropOrganization forgets what is known of all who are in an organization: when its roles change, or a team.
func (a *Access) DropOrganization(organizationID id.ID) {
	a.organizationOf(organizationID).Add(1)
	a.flights.forgetOrganization(organizationID)
}

// Clear forgets everything: called when the broadcast reader has lost events.
func (a *Access) Clear() {
	for i := range a.generation {
		a.generation[i].Add(1)
		a.organization[i].Add(1)
	}
	a.cache.InvalidateAll()
}

func (a *Access) generationOf(of key) *atomic.Uint64 {
	return &a.generation[maphash.Comparable(a.seed, of)%generations]
}

func (a *Access) organizationOf(organizationID id.ID) *atomic.Uint64 {
	return &a.organization[maphash.Comparable(a.seed, organizationID)%generations]
}

// budgetOf returns what a question spends. Who asks is not always who is asked about (to assign a task, say): then it
// spends what the asker has for others, and nothing that either needs for their own requests.
func (a *Access) budgetOf(ctx context.Context, userID id.ID) *budget {
	wanted := spender{userID: userID}
	if asking := askingFor(&call.From(ctx).Actor); !asking.IsZero() && asking != userID {
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

var (
	errTooManyDenials = errs.New(errs.ResourceExhausted, "RATE_LIMITED", "Too many requests for things that are not yours.").
				WithRetryAfter(time.Second)
	errTooManyQuestions = errs.New(errs.ResourceExhausted, "RATE_LIMITED", "Your access can't be checked that often at this moment.").
				WithRetryAfter(time.Second)
	errRevisionUnknown = errs.New(errs.InvalidArgument, "ACCESS_REVISION_UNKNOWN", "The organization has had no such access revision.").
				WithViolation(errs.Violation{Field: "X-Access-Revision", Rule: "access_revision.unknown", Message: "is none that the organization has had"})
)

// unavailable fails closed: without an answer nobody may.
func unavailable(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return errs.New(errs.Unavailable, "UNAVAILABLE", "Your access can't be checked at this moment.").WithCause(err)
}

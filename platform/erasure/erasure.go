// Package erasure is every service's part in the deletion of an organization or a person: it answers whether the service can
// erase what it holds, erases it when there is no way back, and confirms that. It finds the tables of an organization in the
// database's catalog, by their column organization_id, so that a table, and a service, that comes later is covered without
// being named. Which columns name people, and what becomes of each, the service says (platform/person), and an architecture
// test that it has said it of all.
//
// It must not decide that anything is deleted: the service that owns it does (platform/deletion), and asks by its events.
// What it must leave alone, and what says in no column whose it is, its service says (Own).
package erasure

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/pg"
)

// Own is what a service has to say about erasures: of an organization most have nothing.
type Own struct {
	// Keep are tables whose rows stay, because they are permanent.
	Keep []string
	// Refuse says why the organization can't be deleted at this moment, in words for its owner, or nothing. It reads with
	// tx, a transaction of the worker role, and asks no other service.
	Refuse func(ctx context.Context, tx *pg.Tx, organizationID id.ID) (string, error)
	// Sweeps erase what is the organization's but says so in no column.
	Sweeps []Sweep
	// People is what it has to say about the erasure of people.
	People OwnPeople
}

// Sweep erases rows a few at a time.
type Sweep struct {
	// Name is what they are counted under.
	Name string
	// Erase looks at rows behind the place where the last call ended, at first at "", erases at most so many of them with
	// tx, a transaction of the worker role, and returns where it ended, or "" at the end.
	Erase func(ctx context.Context, tx *pg.Tx, subjectID id.ID, after string, atMost int) (next string, erased int64, err error)
}

// Config is what an Eraser is made of.
type Config struct {
	Service    string
	DB         *pg.DB
	Own        Own
	Clock      clock.Clock
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

const (
	// pollInterval is how often a process looks for what another one has left behind.
	pollInterval = 2 * time.Second
	// lease is how long a process may be silent before another takes over.
	lease = 10 * time.Second
	// secondLook is when an erased subject is looked at once more: for what a request wrote that was under way.
	secondLook = time.Hour

	retryBase  = time.Second
	retryLimit = 5 * time.Minute
)

// Eraser is the part of one process. Any number may run: a subject is one process's at a time.
type Eraser struct {
	Config
	woken    chan struct{}
	rows     prometheus.Counter
	failures prometheus.Counter
}

// New returns the eraser of a service.
func New(config Config) *Eraser {
	factory := promauto.With(prometheus.WrapRegistererWith(prometheus.Labels{"service": config.Service}, config.Registerer))
	return &Eraser{
		Config: config, woken: make(chan struct{}, 1),
		rows: factory.NewCounter(prometheus.CounterOpts{
			Name: "braid_erasure_rows_total", Help: "Rows of deleted organizations and people that were erased, or made to name nobody.",
		}),
		failures: factory.NewCounter(prometheus.CounterOpts{
			Name: "braid_erasure_failures_total", Help: "Tries to erase an organization or a person that failed; each is tried again, without end.",
		}),
	}
}

// Part erases while the service runs.
func (e *Eraser) Part() module.Part {
	return module.Part{Name: e.Service + ".erasure", Run: e.run}
}

func (e *Eraser) wake() {
	select {
	case e.woken <- struct{}{}:
	default:
	}
}

func (e *Eraser) run(ctx context.Context) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		for ctx.Err() == nil {
			again, err := e.Next(ctx)
			if err != nil && ctx.Err() == nil {
				e.Logger.WarnContext(ctx, "erasure can't look for its work", slog.String("cause", err.Error()))
			}
			if err != nil || !again {
				break
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-e.woken:
		case <-ticker.C:
		}
	}
}

package deletion

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/erasure"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/pg"
)

const (
	// interval is how often it is looked whose grace is over and who must be asked again.
	interval = time.Second
	// maxDeletions bounds one look.
	maxDeletions = 1000
)

// Config is what a Saga is made of.
type Config struct {
	// Kind is what is deleted.
	Kind *erasure.Kind
	DB   *pg.DB
	// Services are all that there are; each must answer.
	Services []string
	// Enter does what a step means for the subject and tells the services of it, in the transaction of the step. The
	// deletion is in its new state already; its owner's row must go when that is Deleted, and all that refers to it has.
	Enter      func(ctx context.Context, tx *pg.Tx, deletion Deletion, move Move) error
	Clock      clock.Clock
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Saga takes deletions through their states: it asks all services, and goes on when each has answered. All it knows is in
// the database, one transaction for each step with its event, so that any process may go on where another was killed.
type Saga struct {
	Config
	woken    chan struct{}
	waiting  *prometheus.GaugeVec
	failures prometheus.Counter
}

// New returns the saga of the service that owns what is deleted.
func New(config Config) *Saga {
	factory := promauto.With(config.Registerer)
	return &Saga{
		Config: config, woken: make(chan struct{}, 1),
		waiting: factory.NewGaugeVec(prometheus.GaugeOpts{
			Name: "braid_" + config.Kind.Name + "_deletion_wait_seconds",
			Help: "How long a service has owed a deletion its answer, the longest of all deletions; 0 when it owes none.",
		}, []string{"waited_for"}),
		failures: factory.NewCounter(prometheus.CounterOpts{
			Name: "braid_" + config.Kind.Name + "_deletion_failures_total",
			Help: "Steps of deletions that failed here and are tried again.",
		}),
	}
}

// Part runs the saga.
func (s *Saga) Part(service string) module.Part {
	return module.Part{Name: service + ".deletion", Run: s.run}
}

// wake makes the saga look at once: an answer has come.
func (s *Saga) wake() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

func (s *Saga) run(ctx context.Context) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.woken:
		case <-ticker.C:
		}
		if err := s.Advance(ctx); err != nil && ctx.Err() == nil {
			s.failures.Inc()
			s.Logger.WarnContext(ctx, "a deletion can't go on, tried again later", slog.String("cause", err.Error()))
		}
	}
}

// Advance takes every deletion whose grace is over one step on, as far as there is one to take.
func (s *Saga) Advance(ctx context.Context) error {
	seen := []id.ID{}
	var problems []error
	for len(seen) < maxDeletions {
		var next id.ID
		err := s.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
			deletion, err := takeNext(ctx, tx, s.Clock.Now(), seen)
			if err != nil {
				return err
			}
			next = deletion.SubjectID
			// All that it tells of one deletion, and what services answer, carries the same correlation id.
			return s.take(s.Kind.AsSystem(ctx, deletion.SubjectID, deletion.AttemptID.String()), tx, deletion)
		})
		if errors.Is(err, errs.ErrNotFound) {
			break
		}
		problems = append(problems, err)
		if next.IsZero() {
			break // Not even the look went well.
		}
		seen = append(seen, next)
	}
	return errors.Join(append(problems, s.measure(ctx))...)
}

// take does the next step of a deletion that tx has locked.
func (s *Saga) take(ctx context.Context, tx *pg.Tx, deletion Deletion) error {
	now := s.Clock.Now()
	move := deletion.Next(s.Services, now)
	if !move.Enters && len(move.Ask) == 0 {
		return nil
	}
	if move.Enters {
		s.Logger.InfoContext(ctx, "deletion goes on", slog.String("of", s.Kind.Name), slog.String("id", deletion.SubjectID.String()),
			slog.String("state", string(move.State)))
	}
	deletion.State = move.State
	asking := StepPreparing
	switch move.State {
	case Erasing:
		asking = StepErasing
		if deletion.ErasingAt == nil {
			deletion.ErasingAt = &now
		}
	case Failed:
		deletion.EndedAt, deletion.FailureReason = &now, move.Refused.LastError
	case Deleted:
		deletion.EndedAt = &now
	}
	for _, service := range move.Ask {
		tx.Queue(askStep, deletion.SubjectID, service, asking, now)
	}
	SetState(tx, deletion)
	return s.Enter(ctx, tx, deletion, move)
}

// measure says who is waited for.
func (s *Saga) measure(ctx context.Context) error {
	waits, err := readWaits(ctx, s.DB.WorkerRead())
	if err != nil {
		return err
	}
	for _, service := range s.Services {
		waited := 0.0
		if since, ok := waits[service]; ok {
			waited = max(s.Clock.Now().Sub(since).Seconds(), 0)
		}
		s.waiting.WithLabelValues(service).Set(waited)
	}
	return nil
}

// Hear notes an answer. One to an earlier question or try, or of a service that was not asked, is none.
func (s *Saga) Hear(ctx context.Context, tx *pg.Tx, answer Answer) error {
	deletion, err := Lock(ctx, tx, answer.SubjectID)
	switch {
	case errors.Is(err, errs.ErrNotFound):
		return nil
	case err != nil:
		return err
	case !deletion.Awaits(answer.AttemptID, answer.Service, answer.State):
		return nil
	}
	if answer.State == StepErasing {
		tx.Queue(delayStep, answer.SubjectID, answer.Service, answer.Failures, answer.Reason)
		return nil
	}
	tx.AfterCommit(s.wake)
	tx.Queue(answerStep, answer.SubjectID, answer.Service, answer.State, answer.Time, answer.Reason, answer.Rows)
	return nil
}

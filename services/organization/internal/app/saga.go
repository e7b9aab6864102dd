package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

const (
	// sagaInterval is how often it is looked whose grace is over and who must be asked again.
	sagaInterval = time.Second
	// maxDeletions bounds one look.
	maxDeletions = 1000
)

// Saga takes deletions through their states: it asks all services, and goes on when each has answered. All it knows is in
// the database, one transaction for each step with its event, so that any process may go on where another was killed.
type Saga struct {
	app *App
	// services are all that there are; each must answer.
	services []string
	logger   *slog.Logger
	woken    chan struct{}
	waiting  *prometheus.GaugeVec
	failures prometheus.Counter
}

// NewSaga returns the saga over the use cases.
func NewSaga(app *App, services []string, logger *slog.Logger, registerer prometheus.Registerer) *Saga {
	factory := promauto.With(registerer)
	return &Saga{
		app: app, services: services, logger: logger, woken: make(chan struct{}, 1),
		waiting: factory.NewGaugeVec(prometheus.GaugeOpts{
			Name: "braid_organization_deletion_wait_seconds",
			Help: "How long a service has owed a deletion its answer, the longest of all deletions; 0 when it owes none.",
		}, []string{"waited_for"}),
		failures: factory.NewCounter(prometheus.CounterOpts{
			Name: "braid_organization_deletion_failures_total",
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
	ticker := time.NewTicker(sagaInterval)
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
			s.logger.WarnContext(ctx, "a deletion can't go on, tried again later", slog.String("cause", err.Error()))
		}
	}
}

// Advance takes every deletion whose grace is over one step on, as far as there is one to take.
func (s *Saga) Advance(ctx context.Context) error {
	seen := []id.ID{}
	var problems []error
	for len(seen) < maxDeletions {
		var next id.ID
		err := s.app.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
			deletion, err := store.NextDeletion(ctx, tx, s.app.Clock.Now(), seen)
			if err != nil {
				return err
			}
			next = deletion.OrganizationID
			return s.take(asSystem(ctx, deletion), tx, deletion)
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

// asSystem makes what follows the saga's doing. All that it tells of one deletion, and what services answer, carries the
// same correlation id.
func asSystem(ctx context.Context, deletion domain.Deletion) context.Context {
	return call.With(ctx, &call.Call{
		CorrelationID: deletion.AttemptID.String(), OrganizationID: deletion.OrganizationID, Actor: call.Actor{Kind: call.System},
	})
}

// take does the next step of a deletion that tx has locked.
func (s *Saga) take(ctx context.Context, tx *pg.Tx, deletion domain.Deletion) error {
	now := s.app.Clock.Now()
	move := deletion.Next(s.services, now)
	if move.State == deletion.State && len(move.Ask) == 0 {
		return nil
	}
	if move.State != deletion.State {
		s.logger.InfoContext(ctx, "deletion of an organization goes on", slog.String("organization_id", deletion.OrganizationID.String()),
			slog.String("state", string(move.State)))
	}
	deletion.State = move.State
	asking := domain.StepPreparing
	switch move.State {
	case domain.Erasing:
		asking = domain.StepErasing
		if deletion.ErasingAt == nil {
			deletion.ErasingAt = &now
			if err := store.SetOrganizationState(ctx, tx, deletion.OrganizationID, domain.Deleting, now); err != nil {
				return err
			}
		}
	case domain.DeletionFailed:
		deletion.EndedAt, deletion.FailureReason = &now, move.Refused.LastError
		if err := store.SetOrganizationState(ctx, tx, deletion.OrganizationID, deletion.PreviousState, now); err != nil {
			return err
		}
	case domain.Deleted:
		deletion.EndedAt = &now
		if err := store.DeleteOrganization(ctx, tx, deletion.OrganizationID); err != nil {
			return err
		}
	}
	for _, service := range move.Ask {
		if err := store.AskStep(ctx, tx, deletion.OrganizationID, service, asking, now); err != nil {
			return err
		}
	}
	if err := store.SetDeletionState(ctx, tx, deletion); err != nil {
		return err
	}
	return s.app.tellLifecycle(ctx, tx, deletion.OrganizationID, factOf(deletion, move))
}

// factOf is what is told of a step.
func factOf(deletion domain.Deletion, move domain.Move) lifecycleFact {
	organizationID, attemptID := deletion.OrganizationID.String(), deletion.AttemptID.String()
	switch deletion.State {
	case domain.Erasing:
		return &organizationv1.OrganizationErasureStarted{OrganizationId: organizationID, AttemptId: attemptID}
	case domain.DeletionFailed:
		return &organizationv1.OrganizationDeletionFailed{
			OrganizationId: organizationID, AttemptId: attemptID, Service: move.Refused.Service, Reason: move.Refused.LastError,
		}
	case domain.Deleted:
		return &organizationv1.OrganizationDeleted{OrganizationId: organizationID, AttemptId: attemptID, ErasedRows: deletion.ErasedRows()}
	default:
		return &organizationv1.OrganizationDeletionStarted{OrganizationId: organizationID, AttemptId: attemptID}
	}
}

// measure says who is waited for.
func (s *Saga) measure(ctx context.Context) error {
	waits, err := store.LongestWaits(ctx, s.app.DB.WorkerRead())
	if err != nil {
		return err
	}
	for _, service := range s.services {
		waited := 0.0
		if since, ok := waits[service]; ok {
			waited = max(s.app.Clock.Now().Sub(since).Seconds(), 0)
		}
		s.waiting.WithLabelValues(service).Set(waited)
	}
	return nil
}

// StepAnswer is what a service has said about a deletion.
type StepAnswer struct {
	Service        string
	OrganizationID id.ID
	AttemptID      id.ID
	// State is what the service has come to; it is StepErasing for one that has failed to erase and goes on.
	State    domain.StepState
	Reason   string
	Failures int
	Rows     int64
	Time     time.Time
}

// Hear notes an answer. One to an earlier question or try, or of a service that was not asked, is none.
func (s *Saga) Hear(ctx context.Context, tx *pg.Tx, answer StepAnswer) error {
	deletion, err := store.LockDeletion(ctx, tx, answer.OrganizationID)
	switch {
	case errors.Is(err, errs.ErrNotFound):
		return nil
	case err != nil:
		return err
	case !deletion.Awaits(answer.AttemptID, answer.Service, answer.State):
		return nil
	}
	if answer.State == domain.StepErasing {
		return store.DelayStep(ctx, tx, answer.OrganizationID, answer.Service, answer.Failures, answer.Reason)
	}
	tx.AfterCommit(s.wake)
	return store.AnswerStep(ctx, tx, answer.OrganizationID, domain.DeletionStep{
		Service: answer.Service, State: answer.State, AnsweredAt: &answer.Time, LastError: answer.Reason, ErasedRows: answer.Rows,
	})
}

package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/riverqueue/river"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/braidhq/braid/platform/errs"
)

// Handlers holds the handler of each kind of job. Fill it before New; it is not safe for concurrent use.
type Handlers struct {
	workers *river.Workers
	kinds   map[string]bool
	// queue is set by New: handlers are registered before their queue exists, because they often need it themselves.
	queue *Queue
	// longest is the longest time any handler may take.
	longest time.Duration
}

// NewHandlers returns an empty set.
func NewHandlers() *Handlers {
	return &Handlers{workers: river.NewWorkers(), kinds: map[string]bool{}, longest: defaultTimeout}
}

func (h *Handlers) knows(kind string) bool { return h.kinds[kind] }

// Handle registers the handler of a kind of job. It may be called more than once for one job (a process can die
// between the effect and its acknowledgment), so its effect must bear that. Its context ends after the timeout (zero
// means 30 s) and carries the call that enqueued the job. What it returns decides: nil completes the job, Permanent
// cancels it, Later waits without counting the attempt, and every other error tries again until attempts run out.
func Handle[A Args](handlers *Handlers, timeout time.Duration, handle func(ctx context.Context, args A) error) error {
	var zero A
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	added := &worker[A]{handlers: handlers, timeout: timeout, handle: handle}
	if err := river.AddWorkerSafely(handlers.workers, added); err != nil {
		return fmt.Errorf("register job handler %q: %w", zero.Kind(), err)
	}
	handlers.kinds[zero.Kind()] = true
	handlers.longest = max(handlers.longest, timeout)
	return nil
}

// worker makes a handler one of River's workers.
type worker[A Args] struct {
	river.WorkerDefaults[A]
	handlers *Handlers
	timeout  time.Duration
	handle   func(context.Context, A) error
}

// Timeout implements river.Worker.
func (w *worker[A]) Timeout(*river.Job[A]) time.Duration { return w.timeout }

// Work implements river.Worker.
func (w *worker[A]) Work(ctx context.Context, job *river.Job[A]) error {
	queue := w.handlers.queue
	ctx = restore(ctx, job.Metadata)
	ctx = context.WithValue(ctx, infoKey{}, Info{
		ID: job.ID, Attempt: job.Attempt, Last: job.Attempt >= job.MaxAttempts, EnqueueTime: job.CreatedAt,
	})
	ctx, span := queue.tracer.Start(ctx, "job "+job.Kind, trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attribute.Int64("job.id", job.ID), attribute.Int("job.attempt", job.Attempt)))
	defer span.End()
	started := queue.config.Clock.Now()
	err := w.protect(ctx, job.Args)
	outcome, answer := judge(ctx, err)
	if err != nil {
		span.SetStatus(codes.Error, outcome)
	}
	queue.metrics.attempts.WithLabelValues(job.Kind, outcome).Inc()
	queue.metrics.duration.WithLabelValues(job.Kind).Observe(queue.config.Clock.Now().Sub(started).Seconds())
	queue.logAttempt(ctx, job.Kind, outcome, err)
	return answer
}

// protect turns a panic into an error. River would do it too, but keep the panic's value, which may quote anything.
func (w *worker[A]) protect(ctx context.Context, args A) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("panic: %v\n%s", value, debug.Stack())
		}
	}()
	return w.handle(ctx, args)
}

// The outcomes of an attempt, as metrics name them.
const (
	outcomeCompleted = "completed"
	outcomeRetried   = "retried"
	outcomeDeferred  = "deferred"
	outcomeCanceled  = "canceled"
	outcomeDiscarded = "discarded"
)

// judge says what becomes of a job and how River is told.
func judge(ctx context.Context, err error) (outcome string, answer error) {
	if err == nil {
		return outcomeCompleted, nil
	}
	stored := storedError{errs.From(err)}
	var permanent permanentError
	var later laterError
	switch {
	case errors.As(err, &permanent):
		return outcomeCanceled, river.JobCancel(stored)
	case errors.As(err, &later):
		return outcomeDeferred, river.JobSnooze(later.wait)
	case From(ctx).Last:
		return outcomeDiscarded, stored
	}
	return outcomeRetried, stored
}

func (q *Queue) logAttempt(ctx context.Context, kind, outcome string, err error) {
	info := From(ctx)
	attributes := []any{
		slog.String("kind", kind), slog.Int64("job_id", info.ID), slog.Int("attempt", info.Attempt),
		slog.String("outcome", outcome),
	}
	switch outcome {
	case outcomeCompleted:
		q.logger.DebugContext(ctx, "job completed", attributes...)
	case outcomeRetried, outcomeDeferred:
		q.logger.WarnContext(ctx, "job went wrong and will be tried again", append(attributes, slog.Any("error", err))...)
	default:
		q.logger.ErrorContext(ctx, "job given up", append(attributes, slog.Any("error", err))...)
	}
}

package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/pg"
)

const (
	// maxAttemptsLimit is what River's column holds, with room for attempts that did not count.
	maxAttemptsLimit = 1000
	// completedFor is how long finished jobs are kept to be looked at; discarded and canceled ones longer.
	completedFor = time.Hour
	givenUpFor   = 7 * 24 * time.Hour
)

var errNotWorking = errors.New("jobs are not being worked")

// Periodic is a job that is enqueued again and again, by one process at a time, unless the last one is still there.
type Periodic struct {
	Every time.Duration
	Args  Args
}

// Config says what a Queue works on.
type Config struct {
	Service  string
	DB       *pg.DB
	Handlers *Handlers
	// Queues says how many jobs of each queue one process works at a time; default {"default": 4}. Handlers share the
	// worker role's few connections, so more is seldom faster.
	Queues map[string]int
	// Periodic jobs need a handler like all others.
	Periodic []Periodic
	// MaxAttempts is for jobs that don't say; default 16.
	MaxAttempts int
	// PollEvery is how often the queues are looked at without having been woken; default 1 s.
	PollEvery time.Duration
	Clock     clock.Clock
	// Logger names the service already, as everything of it that logs does.
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Queue enqueues and works the jobs of one service.
type Queue struct {
	config  Config
	logger  *slog.Logger
	metrics *metrics
	tracer  trace.Tracer
	client  *river.Client[pgx.Tx]
	// clientID names this process among those that work the same queues.
	clientID string
	wakes    map[string]chan struct{}
	working  atomic.Bool
}

// New returns a queue that can enqueue at once; jobs are worked while its Part runs.
func New(config Config) (*Queue, error) {
	if len(config.Queues) == 0 {
		config.Queues = map[string]int{DefaultQueue: 4}
	}
	config.MaxAttempts = cmp.Or(config.MaxAttempts, defaultMaxAttempts)
	config.PollEvery = cmp.Or(config.PollEvery, time.Second)
	queue := &Queue{
		config:   config,
		logger:   config.Logger,
		tracer:   otel.Tracer("github.com/braidhq/braid/platform/job"),
		clientID: config.Service + "-" + id.New().String(),
		wakes:    map[string]chan struct{}{},
	}
	for name := range config.Queues {
		queue.wakes[name] = make(chan struct{}, 1)
	}
	riverConfig, err := queue.riverConfig()
	if err != nil {
		return nil, fmt.Errorf("set up jobs of %s: %w", config.Service, err)
	}
	queue.client, err = river.NewClient(riverpgxv5.New(config.DB.WorkerPool()), riverConfig)
	if err != nil {
		return nil, fmt.Errorf("set up jobs of %s: %w", config.Service, err)
	}
	queue.metrics = newMetrics(config.Service, config.Registerer)
	config.Handlers.queue = queue
	return queue, nil
}

func (q *Queue) riverConfig() (*river.Config, error) {
	queues := map[string]river.QueueConfig{}
	for name, workers := range q.config.Queues {
		queues[name] = river.QueueConfig{MaxWorkers: workers}
	}
	var periodic []*river.PeriodicJob
	for _, job := range q.config.Periodic {
		if !q.config.Handlers.knows(job.Args.Kind()) {
			return nil, fmt.Errorf("no handler for periodic job %q", job.Args.Kind())
		}
		periodic = append(periodic, river.NewPeriodicJob(river.PeriodicInterval(job.Every),
			func() (river.JobArgs, *river.InsertOpts) {
				return job.Args, &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByState: unfinished}}
			}, &river.PeriodicJobOpts{RunOnStart: true}))
	}
	return &river.Config{
		ID:                          q.clientID,
		Queues:                      queues,
		Workers:                     q.config.Handlers.workers,
		PeriodicJobs:                periodic,
		MaxAttempts:                 q.config.MaxAttempts,
		FetchPollInterval:           q.config.PollEvery,
		FetchCooldown:               min(river.FetchCooldownDefault, q.config.PollEvery),
		JobTimeout:                  q.config.Handlers.longest,
		RescueStuckJobsAfter:        q.config.Handlers.longest + time.Minute,
		CompletedJobRetentionPeriod: completedFor,
		CancelledJobRetentionPeriod: givenUpFor,
		DiscardedJobRetentionPeriod: givenUpFor,
		RetryPolicy:                 riverRetryPolicy{retryPolicy{clock: q.config.Clock, jitter: rand.Float64}},
		// Rebuilding indexes takes ownership, which the worker role doesn't have.
		ReindexerIndexNames: []string{},
		// What becomes of a job is logged here with its call; of River's own lines only trouble is of interest.
		Logger: slog.New(warningHandler{q.logger.Handler()}),
	}, nil
}

// unfinished are the states of jobs that are still to be worked.
var unfinished = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
	rivertype.JobStateRunning, rivertype.JobStateScheduled,
}

// Part returns the working of jobs as a part of the process, named "<service>.jobs".
func (q *Queue) Part(dependsOn ...string) module.Part {
	return module.Part{
		Name:      q.config.Service + ".jobs",
		DependsOn: dependsOn,
		Start:     q.start,
		Run:       q.run,
		Ready:     q.ready,
		Drain:     q.drain,
		Stop:      q.stop,
	}
}

// start begins to work jobs. Other processes must know of this one before it takes its first job, or they would take
// that for a dead one's.
func (q *Queue) start(ctx context.Context) error {
	if err := q.beat(ctx); err != nil {
		return err
	}
	// River stops when this context ends, which would be as soon as the start is over.
	if err := q.client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start jobs: %w", err)
	}
	q.working.Store(true)
	return nil
}

// run keeps up what goes on beside the working of jobs.
func (q *Queue) run(ctx context.Context) error {
	var group sync.WaitGroup
	for name := range q.wakes {
		group.Go(func() { q.sendWakes(ctx, name) })
	}
	group.Go(func() { q.keepAlive(ctx) })
	group.Go(func() { q.measure(ctx) })
	group.Wait()
	return nil
}

func (q *Queue) ready() error {
	if !q.working.Load() {
		return errNotWorking
	}
	return nil
}

// drain takes no new jobs and waits for those in hand.
func (q *Queue) drain(ctx context.Context) {
	q.working.Store(false)
	if err := q.client.Stop(ctx); err != nil {
		q.logger.WarnContext(ctx, "jobs in hand were cut short", slog.Any("error", err))
	}
}

// stop ends the contexts of jobs that are still in hand; they will be tried again.
func (q *Queue) stop(ctx context.Context) error {
	q.working.Store(false)
	if err := q.client.StopAndCancel(ctx); err != nil {
		return fmt.Errorf("stop jobs: %w", err)
	}
	return q.forget(ctx)
}

// riverRetryPolicy is retryPolicy as River asks for it.
type riverRetryPolicy struct{ retryPolicy }

// NextRetry implements river.ClientRetryPolicy. Attempts that did not count left no error behind.
func (p riverRetryPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	return p.clock.Now().Add(p.pauseAfter(len(job.Errors) + 1))
}

// warningHandler lets through warnings and errors.
type warningHandler struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h warningHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h warningHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warningHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h warningHandler) WithGroup(name string) slog.Handler {
	return warningHandler{h.Handler.WithGroup(name)}
}

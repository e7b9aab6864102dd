package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/pgtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The tests' PostgreSQL runs until the binary ends.
		goleak.IgnoreAnyFunction("github.com/braidhq/braid/platform/pg/embedded.startProcess.func1"),
		goleak.IgnoreAnyFunction("os/exec.(*Cmd).Start.func2"))
}

// patience is how long a test waits for what should take milliseconds.
const patience = 20 * time.Second

type sendMail struct {
	DeliveryID string `json:"deliveryId"`
}

func (sendMail) Kind() string { return "send_mail" }

type cleanUp struct{}

func (cleanUp) Kind() string { return "clean_up" }

type bundle struct {
	database *pgtest.Database
	handlers *Handlers
	config   Config
}

func setup(t *testing.T) *bundle {
	t.Helper()
	set, err := Migrations()
	require.NoError(t, err)
	b := &bundle{database: pgtest.Open(t, "notification", set), handlers: NewHandlers()}
	b.config = Config{
		Service: "notification", DB: b.database.DB, Handlers: b.handlers, Clock: clock.System{},
		Logger:     slog.New(slog.DiscardHandler),
		Registerer: prometheus.NewRegistry(),
		// Longer than any test waits: what is worked was woken, not found by polling.
		PollEvery: time.Hour,
	}
	return b
}

// handle registers what is done with a mail.
func (b *bundle) handle(t *testing.T, work func(ctx context.Context, args sendMail) error) {
	t.Helper()
	require.NoError(t, Handle(b.handlers, 0, work))
}

// open returns the queue without working it.
func (b *bundle) open(t *testing.T) *Queue {
	t.Helper()
	queue, err := New(b.config)
	require.NoError(t, err)
	return queue
}

// start works the queue until the test ends.
func (b *bundle) start(t *testing.T) *Queue {
	t.Helper()
	queue := b.open(t)
	part := queue.Part()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	require.NoError(t, part.Start(ctx))
	done := make(chan error, 1)
	go func() { done <- part.Run(ctx) }()
	t.Cleanup(func() {
		stopCtx, stop := context.WithTimeout(context.Background(), patience)
		defer stop()
		part.Drain(stopCtx)
		cancel()
		require.NoError(t, part.Stop(stopCtx))
		require.NoError(t, <-done)
	})
	return queue
}

// enqueue commits one job as a request would.
func (b *bundle) enqueue(ctx context.Context, t *testing.T, queue *Queue, args Args, options ...Option) {
	t.Helper()
	require.NoError(t, b.database.DB.InTx(ctx, pg.ScopeOf(ctx), func(ctx context.Context, tx *pg.Tx) error {
		return queue.Enqueue(ctx, tx, args, options...)
	}))
}

// count returns how many jobs fulfill a condition.
func (b *bundle) count(t *testing.T, condition string) (count int) {
	t.Helper()
	row := b.database.DB.WorkerRead().QueryRow(t.Context(), `select count(*) from river_job where `+condition)
	require.NoError(t, row.Scan(&count))
	return count
}

// exec changes jobs behind the queue's back.
func (b *bundle) exec(t *testing.T, statement string, arguments ...any) {
	t.Helper()
	_, err := b.database.DB.WorkerPool().Exec(t.Context(), statement, arguments...)
	require.NoError(t, err, statement)
}

func (b *bundle) waitFor(t *testing.T, condition string) {
	t.Helper()
	require.Eventually(t, func() bool { return b.count(t, condition) > 0 }, patience, 20*time.Millisecond, condition)
}

func TestJobIsWorkedWithTheCallThatEnqueuedIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	type seen struct {
		call  call.Call
		trace trace.TraceID
		info  Info
		args  sendMail
	}
	worked := make(chan seen, 1)
	b.handle(t, func(ctx context.Context, args sendMail) error {
		worked <- seen{*call.From(ctx), trace.SpanContextFromContext(ctx).TraceID(), From(ctx), args}
		return nil
	})
	queue := b.start(t)

	original := call.Call{
		CorrelationID:  "correlation-1",
		OrganizationID: id.New(),
		Actor: call.Actor{Kind: call.User, UserID: id.New(), SessionID: id.New(), Service: "workflow",
			Token: "canary-token"},
		ClientAddress:  netip.MustParseAddr("2001:db8::7"),
		IdempotencyKey: "canary-key",
	}
	ctx := trace.ContextWithSpanContext(call.With(t.Context(), &original), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2, 3}, SpanID: trace.SpanID{4, 5}, TraceFlags: trace.FlagsSampled,
	}))
	b.enqueue(ctx, t, queue, sendMail{DeliveryID: "delivery-1"})

	var got seen
	select {
	case got = <-worked:
	case <-time.After(patience):
		require.FailNow(t, "the job was not worked")
	}
	want := original
	want.Actor.Token, want.IdempotencyKey = "", ""
	require.Equal(t, want, got.call)
	require.Equal(t, trace.TraceID{1, 2, 3}, got.trace)
	require.Equal(t, sendMail{DeliveryID: "delivery-1"}, got.args)
	require.Equal(t, 1, got.info.Attempt)
	require.False(t, got.info.Last)
	b.waitFor(t, `state = 'completed'`)
	require.Zero(t, b.count(t, `river_job::text like '%canary%'`), "no secret in a job's row")
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	secret := errors.New("password canary-7731 refused")
	// River calls a job that is to be tried again soon available at once, with a time to come.
	const retried = "available' and scheduled_at > attempted_at and attempt = '1"
	unreachable := errs.New(errs.Unavailable, "UNAVAILABLE", "The mail server does not answer.").WithCause(secret)
	for name, test := range map[string]struct {
		answer  func() error
		options []Option
		state   string
		outcome string
		stored  string
	}{
		"retried":   {answer: func() error { return unreachable }, state: retried, outcome: outcomeRetried, stored: "UNAVAILABLE: The mail server"},
		"discarded": {answer: func() error { return secret }, options: []Option{WithMaxAttempts(1)}, state: "discarded", outcome: outcomeDiscarded, stored: "INTERNAL: "},
		"canceled":  {answer: func() error { return Permanent(unreachable) }, state: "cancelled", outcome: outcomeCanceled, stored: "UNAVAILABLE: "},
		"deferred":  {answer: func() error { return Later(time.Hour, secret) }, state: "scheduled", outcome: outcomeDeferred},
		"panic":     {answer: func() error { panic(secret) }, state: retried, outcome: outcomeRetried, stored: "INTERNAL: "},
		"completed": {answer: func() error { return nil }, state: "completed", outcome: outcomeCompleted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.handle(t, func(context.Context, sendMail) error { return test.answer() })
			queue := b.start(t)
			b.enqueue(t.Context(), t, queue, sendMail{}, test.options...)
			b.waitFor(t, fmt.Sprintf(`state = '%s'`, test.state))
			require.Equal(t, 1.0, testutil.ToFloat64(queue.metrics.attempts.WithLabelValues("send_mail", test.outcome)))
			var stored string
			row := b.database.DB.WorkerRead().QueryRow(t.Context(), `select coalesce(errors::text, '') from river_job`)
			require.NoError(t, row.Scan(&stored))
			require.NotContains(t, stored, "canary")
			require.Contains(t, stored, test.stored)
		})
	}
}

func TestRetriedJobComesBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.config.PollEvery = 50 * time.Millisecond // retries are found by polling
	var attempts atomic.Int32
	b.handle(t, func(ctx context.Context, _ sendMail) error {
		if attempts.Add(1) == 1 {
			return errors.New("not yet")
		}
		if !From(ctx).Last {
			return Permanent(errors.New("the second of two attempts is the last"))
		}
		return nil
	})
	b.enqueue(t.Context(), t, b.start(t), sendMail{}, WithMaxAttempts(2))
	b.waitFor(t, `state = 'completed' and attempt = 2`)
}

func TestJobsOfADeadProcessAreGivenBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.handle(t, func(context.Context, sendMail) error { return nil })
	queue := b.open(t)
	for range 4 {
		b.enqueue(t.Context(), t, queue, sendMail{})
	}
	for _, statement := range []string{
		`insert into job_client (id, seen_at) values ('alive', now()), ('silent', now() - interval '1 min')`,
		`update river_job set state = 'running', attempt = 1, attempted_at = now() - interval '1 min',
			attempted_by = array['gone', (array['alive', 'silent', 'gone', 'gone'])[id]]`,
		`update river_job set attempt = max_attempts where id = 4`,
	} {
		b.exec(t, statement)
	}
	require.NoError(t, queue.beatAndRescue(t.Context()))
	require.Equal(t, 2, b.count(t, `state = 'available' and id in (2, 3)`))
	require.Equal(t, 2, b.count(t, `state = 'running' and id in (1, 4)`), "of a live process, or on the last attempt")
	require.Equal(t, 2.0, testutil.ToFloat64(queue.metrics.rescued))
}

func TestDrainFinishesTheJobInHand(t *testing.T) {
	t.Parallel()
	b := setup(t)
	begun, finish := make(chan struct{}), make(chan struct{})
	b.handle(t, func(ctx context.Context, _ sendMail) error {
		close(begun)
		select {
		case <-finish:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	queue := b.start(t)
	require.NoError(t, queue.ready())
	b.enqueue(t.Context(), t, queue, sendMail{})
	<-begun
	drained := make(chan struct{})
	go func() {
		queue.drain(context.WithoutCancel(t.Context()))
		close(drained)
	}()
	require.Eventually(t, func() bool { return queue.ready() != nil }, patience, time.Millisecond)
	select {
	case <-drained:
		require.FailNow(t, "drain did not wait for the job")
	default:
	}
	close(finish)
	<-drained
	require.Equal(t, 1, b.count(t, `state = 'completed'`))
}

func TestPeriodicJobIsWorkedAndNotPiledUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var runs atomic.Int32
	release := make(chan struct{})
	require.NoError(t, Handle(b.handlers, 0, func(ctx context.Context, _ cleanUp) error {
		if call.From(ctx).Actor.Kind != call.System || call.From(ctx).CorrelationID == "" {
			return Permanent(errors.New("a periodic job is the system's own"))
		}
		runs.Add(1)
		<-release
		return nil
	}))
	b.config.Periodic = []Periodic{{Every: time.Second, Args: cleanUp{}}}
	b.config.PollEvery = 100 * time.Millisecond
	b.start(t)
	require.Eventually(t, func() bool { return runs.Load() == 1 }, patience, 20*time.Millisecond)
	require.Never(t, func() bool { return b.count(t, `true`) > 1 }, 2500*time.Millisecond, 100*time.Millisecond,
		"while one is being worked no other is added")
	close(release)
	require.Eventually(t, func() bool { return runs.Load() >= 2 }, patience, 20*time.Millisecond)
	require.Zero(t, b.count(t, `state = 'cancelled'`))
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.handle(t, func(context.Context, sendMail) error { return nil })
	queue := b.open(t)
	b.enqueue(t.Context(), t, queue, sendMail{})
	b.enqueue(t.Context(), t, queue, sendMail{}, After(time.Hour))
	b.exec(t, `update river_job set scheduled_at = now() - interval '90 s' where state = 'available'`)
	require.NoError(t, queue.measureOnce(t.Context()))
	require.Equal(t, 1.0, testutil.ToFloat64(queue.metrics.depth.WithLabelValues("default", "available")))
	require.Equal(t, 1.0, testutil.ToFloat64(queue.metrics.depth.WithLabelValues("default", "scheduled")))
	require.InDelta(t, 90, testutil.ToFloat64(queue.metrics.oldest.WithLabelValues("default")), 20)

	gatherer, ok := b.config.Registerer.(prometheus.Gatherer)
	require.True(t, ok)
	problems, err := testutil.GatherAndLint(gatherer)
	require.NoError(t, err)
	require.Empty(t, problems)
	b.exec(t, `delete from river_job`)
	require.NoError(t, queue.measureOnce(t.Context()))
	require.Zero(t, testutil.ToFloat64(queue.metrics.depth.WithLabelValues("default", "available")))
}

func TestPauses(t *testing.T) {
	t.Parallel()
	for failures, want := range map[int]time.Duration{
		1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 12: 2048 * time.Second, 13: time.Hour, 40: time.Hour, 500: time.Hour,
	} {
		for jitter, factor := range map[float64]float64{0: 0.8, 0.5: 1, 0.999999: 1.2} {
			policy := retryPolicy{jitter: func() float64 { return jitter }}
			require.InDelta(t, factor*want.Seconds(), policy.pauseAfter(failures).Seconds(), want.Seconds()/1000)
		}
	}
}

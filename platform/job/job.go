// Package job does work later, durably: a job is committed together with what asked for it, is worked at least once,
// and is tried again with growing pauses when it goes wrong. It wraps River.
//
// It owns how jobs are stored, woken, retried and measured. It must not see a secret: a job's arguments lie in the
// database for hours and in its backups for longer, so they hold identifiers, and a handler fetches what is secret at
// the moment it needs it. The errors of handlers are kept in the job's row only as kind, reason and message.
package job

import (
	"context"
	"time"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
)

// Args are what a job is about: a struct that encodes to a small JSON object. Kind names the handler; it is stored,
// so it never changes its meaning. Put no secret and nothing personal in it: identifiers only.
type Args interface {
	Kind() string
}

// DefaultQueue takes the jobs that name no other.
const DefaultQueue = "default"

// defaults of a job.
const (
	defaultMaxAttempts = 16
	defaultTimeout     = 30 * time.Second
	maxArgsBytes       = 32 << 10
)

// Option changes how one job is enqueued.
type Option func(*enqueued)

type enqueued struct {
	queue       string
	maxAttempts int
	delay       time.Duration
	uniqueKey   string
}

// OnQueue puts the job on another queue, which must be one of Config.Queues.
func OnQueue(name string) Option { return func(e *enqueued) { e.queue = name } }

// WithMaxAttempts bounds how often the job is tried; default 16, which with the pauses between is about four hours.
func WithMaxAttempts(attempts int) Option { return func(e *enqueued) { e.maxAttempts = attempts } }

// After delays the first attempt, counted from the transaction's start by the database's clock.
func After(delay time.Duration) Option { return func(e *enqueued) { e.delay = delay } }

// Unique drops the job when one of the same kind with the same key is there and not yet finished.
func Unique(key string) Option { return func(e *enqueued) { e.uniqueKey = key } }

// Info is what a handler may want to know about the job in hand.
type Info struct {
	// ID is the job's number, the same in all its attempts.
	ID int64
	// Attempt counts from 1.
	Attempt int
	// Last says that there is no further attempt when this one goes wrong.
	Last bool
	// EnqueueTime is when the job was added, by the database's clock.
	EnqueueTime time.Time
}

type infoKey struct{}

// From returns the job in hand; the zero Info outside handlers.
func From(ctx context.Context) Info {
	info, _ := ctx.Value(infoKey{}).(Info)
	return info
}

// permanentError ends a job.
type permanentError struct{ error }

// Unwrap returns the reason.
func (e permanentError) Unwrap() error { return e.error }

// Permanent says that trying again can't help: the job is canceled at once. Nil stays nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanentError{err}
}

// laterError asks for another time.
type laterError struct {
	error
	wait time.Duration
}

// Unwrap returns the reason.
func (e laterError) Unwrap() error { return e.error }

// Later says that the job itself is not at fault, such as when what it needs is unreachable: it is tried again after
// wait, and this attempt doesn't count. Nil stays nil.
func Later(wait time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return laterError{err, max(wait, time.Second)}
}

// storedError is what is kept of a handler's error in the job's row: nothing of the causes, which may quote anything.
type storedError struct{ known *errs.Error }

func (e storedError) Error() string { return e.known.Reason + ": " + e.known.Message }

// retryPolicy spaces attempts: a second, then twice as long each time, at most an hour, give or take a fifth so that
// jobs that failed together don't return together.
type retryPolicy struct {
	clock  clock.Clock
	jitter func() float64 // in [0, 1)
}

const (
	firstPause   = time.Second
	longestPause = time.Hour
	jitterShare  = 0.2
)

// pauseAfter returns the pause after a number of failures.
func (p retryPolicy) pauseAfter(failures int) time.Duration {
	pause := longestPause
	// Beyond 12 doublings the pause is at its longest, and the shift below could overflow.
	if failures < 13 {
		pause = min(longestPause, firstPause<<max(failures-1, 0))
	}
	return time.Duration(float64(pause) * (1 + jitterShare*(2*p.jitter()-1)))
}

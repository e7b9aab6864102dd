package job

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/pg"
)

func TestJobExistsOnlyWhenItsTransactionCommits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.handle(t, func(context.Context, sendMail) error { return nil })
	queue := b.open(t)
	lost := errors.New("second thoughts")
	err := b.database.DB.InTx(t.Context(), pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
		require.NoError(t, queue.Enqueue(ctx, tx, sendMail{}))
		_, err := tx.Exec(ctx, `select 1`) // sends what is queued
		require.NoError(t, err)
		return lost
	})
	require.ErrorIs(t, err, lost)
	require.Zero(t, b.count(t, `true`))
	require.Zero(t, testutil.ToFloat64(queue.metrics.enqueued.WithLabelValues("send_mail")))
	b.enqueue(t.Context(), t, queue, sendMail{})
	require.Equal(t, 1, b.count(t, `state = 'available'`))
	require.Equal(t, 1.0, testutil.ToFloat64(queue.metrics.enqueued.WithLabelValues("send_mail")))
}

func TestRequestsMayOnlyAddJobs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.handle(t, func(context.Context, sendMail) error { return nil })
	queue := b.open(t)
	b.enqueue(t.Context(), t, queue, sendMail{}, Unique("one"))
	for _, statement := range []string{
		`select * from river_job`, `update river_job set state = 'available'`, `delete from river_job`,
		`select * from job_client`,
	} {
		err := b.database.DB.InTx(t.Context(), pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
			_, err := tx.Exec(ctx, statement)
			return err
		})
		require.ErrorContains(t, err, "permission denied", statement)
	}
}

func TestEnqueueRefusesWhatCouldNotBeWorked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.handle(t, func(context.Context, sendMail) error { return nil })
	queue := b.open(t)
	for name, test := range map[string]struct {
		args    Args
		options []Option
		want    string
	}{
		"kind":     {args: cleanUp{}, want: `no handler for kind "clean_up"`},
		"queue":    {args: sendMail{}, options: []Option{OnQueue("fast")}, want: `no queue "fast"`},
		"attempts": {args: sendMail{}, options: []Option{WithMaxAttempts(-1)}, want: "attempts"},
		"size":     {args: sendMail{DeliveryID: strings.Repeat("x", maxArgsBytes)}, want: "are more than"},
		"NUL":      {args: sendMail{DeliveryID: "a\x00b"}, want: "NUL"},
	} {
		err := b.database.DB.InTx(t.Context(), pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
			return queue.Enqueue(ctx, tx, test.args, test.options...)
		})
		require.ErrorContains(t, err, test.want, name)
	}
	require.Zero(t, b.count(t, `true`))
	require.Error(t, Handle(b.handlers, 0, func(context.Context, sendMail) error { return nil }), "a second handler")
}

func TestUniqueJobIsThereOnceUntilItIsFinished(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.handle(t, func(context.Context, sendMail) error { return nil })
	queue := b.open(t)
	for _, key := range []string{"a", "a", "b"} {
		b.enqueue(t.Context(), t, queue, sendMail{}, Unique(key))
	}
	require.Equal(t, 2, b.count(t, `true`))
	for _, state := range unfinished {
		b.exec(t, `update river_job set state = $1`, string(state))
		b.enqueue(t.Context(), t, queue, sendMail{}, Unique("a"))
		require.Equal(t, 2, b.count(t, `true`), state)
	}
	b.exec(t, `update river_job set state = 'completed', finalized_at = now()`)
	b.enqueue(t.Context(), t, queue, sendMail{}, Unique("a"))
	require.Equal(t, 3, b.count(t, `true`))
}

func TestDelayedJob(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.handle(t, func(context.Context, sendMail) error { return nil })
	b.enqueue(t.Context(), t, b.open(t), sendMail{}, After(time.Hour))
	require.Equal(t, 1, b.count(t, `state = 'scheduled' and scheduled_at between now() + interval '59 min' and now() + interval '1 h'`))
}

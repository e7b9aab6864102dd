package inbox_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/bus/deadletter"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/bustest"
)

var errPoison = errors.New("poison")

func TestPoisonInTheMiddleOfABatchIsPutAside(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	records := bundle.records(t, "a", "b", "poison", "c", "d")
	bundle.publish(t, records...)
	var tries atomic.Int64
	consumer := bundle.consume(t, storeBut(map[string]func() error{"poison": func() error {
		tries.Add(1)
		return errPoison
	}}), nil)
	bundle.requireEffects(t, "a", "b", "c", "d")
	letter := bundle.letters(t, 1)[0]
	event, err := bus.Decode(records[2])
	require.NoError(t, err)
	require.Equal(t, event.ID.String(), letter.ID)
	require.Equal(t, bundle.topic.Name, letter.Record.Topic)
	require.Equal(t, int32(0), letter.Record.Partition)
	require.Equal(t, int64(2), letter.Record.Offset)
	require.Equal(t, records[2].Headers, letter.Record.Headers)
	require.Equal(t, records[2].Key, letter.Record.Key)
	require.Equal(t, records[2].Value, letter.Record.Value)
	require.Contains(t, letter.Reason, "poison")
	require.Equal(t, 3, letter.Attempts)
	require.Equal(t, int64(1+3), tries.Load(), "once in the batch, then three times alone")
	require.Equal(t, service, letter.Consumer)
	require.WithinDuration(t, time.Now(), letter.Time, time.Minute)
	require.Equal(t, 4, bundle.inboxRows(t), "a dead letter has no inbox row")
	require.Equal(t, 1.0, metric(t, consumer, "braid_consumer_dead_letters_total"))
	bundle.publish(t, bundle.records(t, "e")...)
	bundle.requireEffects(t, "a", "b", "c", "d", "e")
}

func TestPanicIsTheEventsOwnFailure(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	// Even one that looks like the infrastructure's: nothing but a change of the program mends it.
	bundle.consume(t, storeBut(map[string]func() error{"boom": func() error {
		panic(errs.New(errs.Unavailable, "UNAVAILABLE", "boom"))
	}}), nil)
	bundle.publish(t, bundle.records(t, "boom", "a")...)
	bundle.requireEffects(t, "a")
	require.Contains(t, bundle.letters(t, 1)[0].Reason, "panicked")
}

func TestRecordThatIsNoEventIsPutAside(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	bundle.consume(t, store, nil)
	bundle.publish(t, bundle.record(t, 0, "a"), bus.Record{Topic: bundle.topic.Name, Partition: 0, Value: []byte("?")}, bundle.record(t, 0, "b"))
	bundle.requireEffects(t, "a", "b")
	letter := bundle.letters(t, 1)[0]
	require.Equal(t, "writer.events/0/1", letter.ID)
	require.Equal(t, 1, letter.Attempts, "another try mends nothing")
	_, err := letter.Event()
	require.ErrorIs(t, err, bus.ErrMalformed)
}

func TestFailureThatHealsIsNoDeadLetter(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	var tries atomic.Int64
	bundle.consume(t, storeBut(map[string]func() error{"shaky": func() error {
		if tries.Add(1) < 3 {
			return errPoison
		}
		return nil
	}}), nil)
	bundle.publish(t, bundle.records(t, "a", "shaky", "b")...)
	bundle.requireEffects(t, "a", "shaky", "b")
	bundle.letters(t, 0)
}

func TestInfrastructureIsWaitedForAndNeverBlamedOnAnEvent(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{
		"unavailable":        errs.New(errs.Unavailable, "UNAVAILABLE", "away"),
		"deadline":           errs.New(errs.DeadlineExceeded, "DEADLINE_EXCEEDED", "slow"),
		"resource exhausted": errs.New(errs.ResourceExhausted, "RESOURCE_EXHAUSTED", "full"),
		"context deadline":   context.DeadlineExceeded,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bundle := setup(t)
			var tries atomic.Int64
			consumer := bundle.consume(t, storeBut(map[string]func() error{"b": func() error {
				// Far more often than an event's own failure would be tried.
				if tries.Add(1) < 15 {
					return failure
				}
				return nil
			}}), nil)
			bundle.publish(t, bundle.records(t, "a", "b", "c")...)
			bundle.requireEffects(t, "a", "b", "c")
			bundle.letters(t, 0)
			require.GreaterOrEqual(t, metric(t, consumer, "braid_consumer_retries_total"), 14.0)
		})
	}
}

// A handler's own conflict (a stale etag) would be there at each try; only the database's goes away.
func TestConflictOfAHandlerIsTheEventsOwn(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	bundle.consume(t, storeBut(map[string]func() error{"stale": func() error {
		return errs.New(errs.Aborted, "ETAG_MISMATCH", "stale")
	}}), nil)
	bundle.publish(t, bundle.records(t, "stale", "a")...)
	bundle.requireEffects(t, "a")
	bundle.letters(t, 1)
}

func TestBatchThatIsTooMuchForOneTransactionIsTakenApart(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	texts := numbers(6)
	bundle.publish(t, bundle.records(t, texts...)...)
	bundle.consume(t, func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		var before int
		if err := tx.QueryRow(ctx, `select count(*) from effect where xmin = pg_current_xact_id()::xid`).Scan(&before); err != nil {
			return err
		}
		if before >= 2 {
			return errs.New(errs.DeadlineExceeded, "DEADLINE_EXCEEDED", "too much")
		}
		return store(ctx, tx, event)
	}, nil)
	bundle.requireEffects(t, texts...)
	bundle.letters(t, 0)
}

func TestLostDatabaseAndBrokerLoseAndRepeatNothing(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	bundle.consume(t, store, func(c *inbox.Config) { c.BatchEvents = 5 })
	texts := numbers(60)
	for position := 0; position < len(texts); position += 10 {
		bundle.publish(t, bundle.records(t, texts[position:position+10]...)...)
		switch position {
		case 10, 40:
			bundle.Terminate(t)
		case 20:
			bundle.broker.Stop()
			bundle.broker.Start()
		}
	}
	bundle.requireEffects(t, texts...)
	bundle.letters(t, 0)
}

func TestDeadLetterThatCannotBeWrittenIsWaitedFor(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	var stopped atomic.Bool
	consumer := bundle.consume(t, storeBut(map[string]func() error{"poison": func() error {
		if stopped.CompareAndSwap(false, true) {
			bundle.broker.Stop()
		}
		return errPoison
	}}), func(c *inbox.Config) { c.BrokerTimeout, c.Attempts = 300*time.Millisecond, 1 })
	bundle.publish(t, bundle.records(t, "poison", "a")...)
	require.Eventually(t, stopped.Load, patience, tick)
	before := metric(t, consumer, "braid_consumer_retries_total")
	require.Eventually(t, func() bool { return metric(t, consumer, "braid_consumer_retries_total") > before+2 }, patience, tick)
	require.Empty(t, bundle.effects(t), "the partition waits")
	bundle.broker.Start()
	bundle.requireEffects(t, "a")
	bundle.letters(t, 1)
}

func TestReplayGoesToTheConsumerAndIsIdempotent(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	var healed atomic.Bool
	var last atomic.Pointer[bus.Event]
	consumer := bundle.consume(t, func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		last.Store(&event)
		if !healed.Load() {
			return errPoison
		}
		return store(ctx, tx, event)
	}, nil)
	poison := bundle.record(t, 1, "poison")
	bundle.publish(t, poison)
	letter := bundle.letters(t, 1)[0]
	desk := bundle.desk(t)

	require.NoError(t, desk.Replay(t.Context(), service, letter.ID))
	require.Eventually(t, func() bool { return metric(t, consumer, "braid_consumer_dead_letters_total") == 2 }, patience, tick)
	again := bundle.letters(t, 1)[0]
	require.Equal(t, letter.ID, again.ID)
	require.Equal(t, letter.Record, timeless(again.Record, letter.Record), "it still says where it came from first")
	require.Equal(t, 6, again.Attempts, "three tries, and three more")
	require.False(t, again.Time.Before(letter.Time), "it was tried last when it was replayed")
	require.NoError(t, desk.Replay(t.Context(), service, letter.ID))
	require.Eventually(t, func() bool { return metric(t, consumer, "braid_consumer_dead_letters_total") == 3 }, patience, tick)
	require.Equal(t, 9, bundle.letters(t, 1)[0].Attempts)

	healed.Store(true)
	require.NoError(t, desk.Replay(t.Context(), service, letter.ID))
	bundle.requireEffects(t, "poison")
	bundle.letters(t, 0)
	original, err := letter.Event()
	require.NoError(t, err)
	require.Equal(t, &original, last.Load(), "a handler cannot tell a replay from the first time")
	require.ErrorIs(t, desk.Replay(t.Context(), service, letter.ID), deadletter.ErrNotFound)

	// As if the replay had been interrupted before the letter was marked, and the source repeated it too.
	bundle.publish(t, poison)
	poison.Topic, poison.Partition = bus.ReplayTopic(service), 0
	bundle.publish(t, poison, poison)
	bundle.publish(t, bundle.record(t, 1, "next"))
	bundle.requireEffects(t, "poison", "next")
	require.Eventually(t, func() bool { return metric(t, consumer, "braid_consumer_duplicates_total") == 3 }, patience, tick)
	count := 0
	require.NoError(t, bus.ReadTopic(t.Context(), bundle.broker.Connection(), bundle.topic.Name, bustest.Logger(t), func(bus.Record) error {
		count++
		return nil
	}))
	require.Equal(t, 3, count, "a replay never goes to the source topic")
}

// timeless gives a record the time of another: each copy has the time of its own writing.
func timeless(record, other bus.Record) bus.Record {
	record.Time = other.Time
	return record
}

func TestDiscardedLettersAreGone(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	desk := bundle.desk(t)
	none, err := desk.List(t.Context(), "never", 10)
	require.NoError(t, err)
	require.Empty(t, none)
	bundle.consume(t, func(context.Context, *pg.Tx, bus.Event) error { return errPoison }, func(c *inbox.Config) { c.Attempts = 1 })
	bundle.publish(t, bundle.records(t, "a", "b", "c")...)
	letters := bundle.letters(t, 3)
	require.Equal(t, int64(2), letters[0].Record.Offset, "the newest first")
	newest, err := desk.List(t.Context(), service, 1)
	require.NoError(t, err)
	require.Equal(t, letters[:1], newest)
	shown, err := desk.Show(t.Context(), service, letters[1].ID)
	require.NoError(t, err)
	require.Equal(t, letters[1], shown)
	require.ErrorIs(t, desk.Discard(t.Context(), service, letters[0].ID, "unknown"), deadletter.ErrNotFound)
	bundle.letters(t, 3)
	require.NoError(t, desk.Discard(t.Context(), service, letters[0].ID, letters[2].ID))
	require.Equal(t, letters[1:2], bundle.letters(t, 1))
	_, err = desk.Show(t.Context(), service, letters[0].ID)
	require.ErrorIs(t, err, deadletter.ErrNotFound)
}

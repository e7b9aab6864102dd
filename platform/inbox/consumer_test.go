package inbox_test

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/bustest"
	"github.com/braidhq/braid/testkit/pgtest"
)

func TestEventsAreAppliedOnceAndInOrder(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	consumer := bundle.consume(t, store, nil)
	texts := numbers(50)
	records := bundle.records(t, texts...)
	bundle.publish(t, records...)
	bundle.requireEffects(t, texts...)
	require.NoError(t, consumer.Ready())

	// Again, each for itself, and all together with one that is new and twice in the batch.
	bundle.publish(t, records[7])
	last := bundle.record(t, 0, "last")
	bundle.publish(t, append(records, last, last)...)
	bundle.requireEffects(t, append(texts, "last")...)
	require.Eventually(t, func() bool { return metric(t, consumer, "braid_consumer_duplicates_total") == 52 }, patience, tick)
	require.Equal(t, 51.0, metric(t, consumer, "braid_consumer_applied_total"))
	require.Equal(t, 51, bundle.inboxRows(t))
	require.Less(t, metric(t, consumer, "braid_consumer_handled_seconds"), 20.0, "events share transactions")
}

func TestHandlerSeesTheCallBehindTheEvent(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	var got atomic.Pointer[call.Call]
	var span atomic.Pointer[trace.SpanContext]
	bundle.consume(t, func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		got.Store(call.From(ctx))
		current := trace.SpanContextFromContext(ctx)
		span.Store(&current)
		require.Equal(t, bundle.topic.Name, event.Topic)
		return store(ctx, tx, event)
	}, nil)
	record := bundle.record(t, 1, "x")
	event, err := bus.Decode(record)
	require.NoError(t, err)
	bundle.publish(t, record)
	bundle.requireEffects(t, "x")
	require.Equal(t, &call.Call{
		CorrelationID: event.CorrelationID, OrganizationID: event.OrganizationID, Actor: event.Actor,
		ClientAddress: netip.MustParseAddr(event.ClientAddress),
	}, got.Load())
	require.Equal(t, "0af7651916cd43dd8448eb211c80319c", span.Load().TraceID().String())
}

func TestEventsNobodyAskedForArePassedOver(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	bundle.consume(t, nil, func(c *inbox.Config) {
		c.Handlers = map[string]inbox.Handler{"other.thing.happened": inbox.Each(store)}
	})
	other := bustest.NewEvent([16]byte{1})
	other.Type = "other.thing.happened"
	wanted, err := bus.Encode(bundle.topic.Name, other)
	require.NoError(t, err)
	wanted.Partition = 0
	bundle.publish(t, bundle.record(t, 0, "unknown"), wanted)
	bundle.requireEffects(t, "")
	require.Equal(t, 1, bundle.inboxRows(t))
	bundle.letters(t, 0)
}

func TestAnyTakesWhatHasNoHandlerOfItsOwn(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	bundle.consume(t, nil, func(c *inbox.Config) { c.Handlers = map[string]inbox.Handler{inbox.Any: inbox.Each(store)} })
	bundle.publish(t, bundle.records(t, "a", "b")...)
	bundle.requireEffects(t, "a", "b")
}

func TestSingleEventsGetATransactionOfTheirOwn(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	texts := numbers(10)
	// Published before the consumer starts, so that it polls them together.
	bundle.publish(t, bundle.records(t, texts...)...)
	consumer := bundle.consume(t, store, func(c *inbox.Config) { c.Single = []string{bustest.EventType} })
	bundle.requireEffects(t, texts...)
	require.Eventually(t, func() bool { return metric(t, consumer, "braid_consumer_batch_events") == 10 }, patience, tick)
}

func TestConsumerGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	first := bundle.consume(t, store, nil)
	bundle.publish(t, bundle.records(t, "a")...)
	bundle.requireEffects(t, "a")
	first.stop()
	bundle.publish(t, bundle.records(t, "b")...)
	second := bundle.consume(t, store, nil)
	bundle.requireEffects(t, "a", "b")
	require.Zero(t, metric(t, second, "braid_consumer_duplicates_total"), "offsets were committed")
}

// Members come and go while events flow; each event has its effect once, and those of a partition stay in order.
func TestMembersShareAndHandOver(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	other := pgtest.OpenDB(t, pg.Config{Service: service, URL: bundle.URL}, prometheus.NewRegistry())
	bundle.consume(t, store, nil)
	texts := numbers(120)
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for position := 0; position < len(texts); position += 4 {
			var records []bus.Record
			for _, text := range texts[position : position+4] {
				records = append(records, bundle.record(t, int32(position/4%2), text))
			}
			bundle.publish(t, records...)
		}
	})
	for range 3 {
		member := bundle.consumeWith(t, other, store, nil)
		require.Eventually(t, func() bool { return member.Ready() == nil }, patience, tick)
		member.stop()
	}
	publishing.Wait()
	require.Eventually(t, func() bool { return len(bundle.effects(t)) >= len(texts) }, patience, tick)
	effects := bundle.effects(t)
	require.ElementsMatch(t, texts, effects)
	byPartition := map[int][]string{}
	for _, text := range effects {
		var number int
		for position, candidate := range texts {
			if candidate == text {
				number = position
			}
		}
		byPartition[number/4%2] = append(byPartition[number/4%2], text)
	}
	for _, mine := range byPartition {
		require.IsIncreasing(t, mine)
	}
}

func TestMetricsAreWellNamed(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	consumer := bundle.consume(t, store, nil)
	require.Eventually(t, func() bool { return metric(t, consumer, "braid_consumer_lag_events") == 0 }, patience, tick)
	problems, err := testutil.GatherAndLint(consumer.registry)
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestLagIsMeasured(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	release := make(chan struct{})
	bundle.publish(t, bundle.records(t, "a", "b", "c")...)
	consumer := bundle.consume(t, func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		select {
		case <-release:
		case <-ctx.Done():
		}
		return store(ctx, tx, event)
	}, nil)
	require.Eventually(t, func() bool { return metric(t, consumer, "braid_consumer_lag_events") == 3 }, patience, tick)
	close(release)
	bundle.requireEffects(t, "a", "b", "c")
}

func TestExpiredRowsAreDeletedInBatches(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	_, err := bundle.Owner.Exec(t.Context(), `insert into inbox
		select $1, gen_random_uuid(), case when number <= 12000 then now() - interval '2 days' else now() end
		from generate_series(1, 12010) as number`, service)
	require.NoError(t, err)
	_, err = bundle.Owner.Exec(t.Context(), `insert into inbox values ('another', gen_random_uuid(), now() - interval '2 days')`)
	require.NoError(t, err)
	consumer, err := inbox.NewConsumer(bundle.DB, bundle.broker.Connection(), inbox.Config{
		Service: service, Topics: []bus.Topic{bundle.topic}, Handlers: map[string]inbox.Handler{inbox.Any: inbox.Each(store)},
	}, clock.System{}, bustest.Logger(t), prometheus.NewRegistry())
	require.NoError(t, err)
	deleted, err := consumer.DeleteExpired(t.Context(), time.Now().Add(-24*time.Hour))
	require.NoError(t, err)
	require.Equal(t, int64(12000), deleted)
	require.Equal(t, 10, bundle.inboxRows(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, consumer.Run(ctx))
}

func TestNewConsumerChecksItsConfig(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	for name, config := range map[string]inbox.Config{
		"nothing":        {},
		"no handler":     {Service: service, Topics: []bus.Topic{bundle.topic}},
		"a nil handler":  {Service: service, Topics: []bus.Topic{bundle.topic}, Handlers: map[string]inbox.Handler{"x": nil}},
		"single unknown": {Service: service, Topics: []bus.Topic{bundle.topic}, Handlers: map[string]inbox.Handler{"x": inbox.Each(store)}, Single: []string{"y"}},
	} {
		_, err := inbox.NewConsumer(bundle.DB, bundle.broker.Connection(), config, clock.System{}, bustest.Logger(t), prometheus.NewRegistry())
		require.Error(t, err, name)
	}
}

func TestRequestsCannotTouchTheInbox(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	for _, statement := range []string{`select * from inbox`, `insert into inbox values ('x', gen_random_uuid(), now())`, `delete from inbox`} {
		require.Error(t, bundle.DB.InTx(t.Context(), pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
			_, err := tx.Exec(ctx, statement)
			return err
		}), statement)
	}
}

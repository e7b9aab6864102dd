package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/bus/deadletter"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/bustest"
	"github.com/braidhq/braid/testkit/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, pgtest.IgnoreServer()...) }

const (
	service  = "reader"
	source   = "writer"
	patience = 30 * time.Second
	tick     = 5 * time.Millisecond
)

// testBundle is a consuming service's database, and a broker with the topic of another service.
type testBundle struct {
	*pgtest.Database
	broker   *bustest.Broker
	producer *bus.Producer
	topic    bus.Topic
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	bundle := &testBundle{
		Database: pgtest.Open(t, service, inbox.Migrations()), broker: bustest.New(t),
		topic: bus.Topic{Name: bus.EventTopic(source), Partitions: 2, Retention: time.Hour},
	}
	_, err := bundle.Owner.Exec(t.Context(), `create table effect (position bigserial primary key, event_id uuid, text text);
		grant select, insert on effect to `+pg.WorkerRole(bundle.Name)+`; grant usage on sequence effect_position_seq to `+pg.WorkerRole(bundle.Name))
	require.NoError(t, err)
	bundle.producer, err = bus.NewProducer(bundle.broker.Connection(), bustest.Logger(t))
	require.NoError(t, err)
	t.Cleanup(bundle.producer.Close)
	require.NoError(t, bus.EnsureTopics(t.Context(), bundle.broker.Connection(), bustest.Logger(t), bundle.topic))
	return bundle
}

// store is a handler that has an effect: one row per event.
func store(ctx context.Context, tx *pg.Tx, event bus.Event) error {
	_, err := tx.Exec(ctx, `insert into effect (event_id, text) values ($1, $2)`, event.ID, bustest.TextOf(event.Data))
	return err
}

// apply is what a handler does to one event.
type apply = func(ctx context.Context, tx *pg.Tx, event bus.Event) error

// storeBut has the effect for all but some texts, for which it does something else first.
func storeBut(otherwise map[string]func() error) apply {
	return func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		if err := store(ctx, tx, event); err != nil {
			return err
		}
		if what, ok := otherwise[bustest.TextOf(event.Data)]; ok {
			return what()
		}
		return nil
	}
}

type consumer struct {
	*inbox.Consumer
	registry *prometheus.Registry
	stop     func()
}

func (b *testBundle) consume(t *testing.T, handler apply, change func(*inbox.Config)) *consumer {
	t.Helper()
	return b.consumeWith(t, b.DB, handler, change)
}

func (b *testBundle) consumeWith(t *testing.T, database *pg.DB, handler apply, change func(*inbox.Config)) *consumer {
	t.Helper()
	config := inbox.Config{
		Service: service, Topics: []bus.Topic{b.topic}, Handlers: map[string]inbox.Handler{bustest.EventType: inbox.Each(handler)},
		RetryBase: time.Millisecond, RetryLimit: 20 * time.Millisecond,
	}
	if change != nil {
		change(&config)
	}
	registry := prometheus.NewRegistry()
	made, err := inbox.NewConsumer(database, b.broker.Connection(), config, clock.System{}, bustest.Logger(t), registry)
	require.NoError(t, err)
	require.Error(t, made.Ready())
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	var result error
	running.Go(func() { result = made.Run(ctx) })
	stop := sync.OnceFunc(func() {
		cancel()
		running.Wait()
		require.NoError(t, result)
	})
	t.Cleanup(stop)
	return &consumer{Consumer: made, registry: registry, stop: stop}
}

// record returns an event with a text, for one partition, whose events have one key: they are in order.
func (b *testBundle) record(t *testing.T, partition int32, text string) bus.Record {
	t.Helper()
	event := bustest.NewEvent(id.New())
	event.Type, event.Schema, event.Data = bustest.EventType, "braid.test.v1.ThingHappened", bustest.PayloadOf(text)
	event.Key = fmt.Append(nil, "partition ", partition)
	record, err := bus.Encode(b.topic.Name, event)
	require.NoError(t, err)
	record.Partition = partition
	return record
}

func (b *testBundle) records(t *testing.T, texts ...string) []bus.Record {
	t.Helper()
	records := make([]bus.Record, 0, len(texts))
	for _, text := range texts {
		records = append(records, b.record(t, 0, text))
	}
	return records
}

func (b *testBundle) publish(t *testing.T, records ...bus.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, errors.Join(b.producer.Publish(ctx, records...)...))
}

// effects returns the texts in the order they were applied.
func (b *testBundle) effects(t *testing.T) (texts []string) {
	t.Helper()
	rows, err := b.Admin.Query(t.Context(), `select text from effect order by position`)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var text string
		require.NoError(t, rows.Scan(&text))
		texts = append(texts, text)
	}
	require.NoError(t, rows.Err())
	return texts
}

func (b *testBundle) requireEffects(t *testing.T, want ...string) {
	t.Helper()
	require.Eventually(t, func() bool { return len(b.effects(t)) >= len(want) }, patience, tick, "effects are missing of %v", want)
	require.Equal(t, want, b.effects(t))
}

func (b *testBundle) inboxRows(t *testing.T) (count int) {
	t.Helper()
	require.NoError(t, b.Admin.QueryRow(t.Context(), `select count(*) from inbox where consumer = $1`, service).Scan(&count))
	return count
}

func (b *testBundle) desk(t *testing.T) *deadletter.Desk {
	t.Helper()
	return deadletter.NewDesk(b.broker.Connection(), clock.System{}, bustest.Logger(t))
}

// letters waits for open dead letters and returns them, the newest first.
func (b *testBundle) letters(t *testing.T, count int) (letters []deadletter.Letter) {
	t.Helper()
	require.Eventually(t, func() bool {
		var err error
		letters, err = b.desk(t).List(t.Context(), service, 100)
		require.NoError(t, err)
		return len(letters) == count
	}, patience, tick, "not %d open dead letters", count)
	return letters
}

func metric(t *testing.T, consumer *consumer, name string) (sum float64) {
	t.Helper()
	families, err := consumer.registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == name {
			for _, sample := range family.GetMetric() {
				sum += sample.GetCounter().GetValue() + sample.GetGauge().GetValue() + float64(sample.GetHistogram().GetSampleCount())
			}
			return sum
		}
	}
	return -1 // Not there yet; no figure is negative.
}

func numbers(count int) (texts []string) {
	for number := range count {
		texts = append(texts, fmt.Sprintf("%03d", number))
	}
	return texts
}

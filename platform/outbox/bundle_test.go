package outbox_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/bustest"
	"github.com/braidhq/braid/testkit/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, pgtest.IgnoreServer()...) }

const (
	service  = "thing"
	patience = 30 * time.Second
	tick     = 5 * time.Millisecond
	// never is a poll interval that does not help a test along.
	never = time.Hour
)

// testBundle is a service's database and a broker.
type testBundle struct {
	*pgtest.Database
	broker *bustest.Broker
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	return &testBundle{Database: pgtest.Open(t, service, outbox.Migrations()), broker: bustest.New(t)}
}

// anotherProcess opens the database once more, as another process would.
func (b *testBundle) anotherProcess(t *testing.T) *pg.DB {
	t.Helper()
	return pgtest.OpenDB(t, pg.Config{Service: service, URL: b.URL}, prometheus.NewRegistry())
}

// relay is a relay that a test runs.
type relay struct {
	*outbox.Relay
	registry *prometheus.Registry
	stop     func()
}

func (b *testBundle) relay(t *testing.T, database *pg.DB, change func(*outbox.RelayConfig)) *relay {
	t.Helper()
	return b.relayAt(t, clock.System{}, database, change)
}

func (b *testBundle) relayAt(t *testing.T, clock clock.Clock, database *pg.DB, change func(*outbox.RelayConfig)) *relay {
	t.Helper()
	config := outbox.RelayConfig{
		Service: service, Topic: bus.Topic{Name: bus.EventTopic(service), Partitions: 2, Retention: time.Hour}, PollInterval: 50 * time.Millisecond,
	}
	if change != nil {
		change(&config)
	}
	registry := prometheus.NewRegistry()
	made, err := outbox.NewRelay(database, b.broker.Connection(), config, clock, bustest.Logger(t), registry)
	require.NoError(t, err)
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
	return &relay{Relay: made, registry: registry, stop: stop}
}

func event(key id.ID, text string) outbox.Event {
	return outbox.Event{Message: bustest.NewMessage(text), Key: key, OrganizationID: key, Subject: "things/1"}
}

// commit appends events in one transaction of the app role.
func commit(t *testing.T, database *pg.DB, events ...outbox.Event) {
	t.Helper()
	require.NoError(t, database.InTx(t.Context(), pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
		return outbox.Append(ctx, tx, clock.System{}, events...)
	}))
}

// published returns what is on the topic, in order per partition.
func (b *testBundle) published(t *testing.T) []bus.Event {
	t.Helper()
	var events []bus.Event
	err := bus.ReadTopic(t.Context(), b.broker.Connection(), bus.EventTopic(service), bustest.Logger(t), func(record bus.Record) error {
		event, err := bus.Decode(record)
		require.NoError(t, err)
		events = append(events, event)
		return nil
	})
	if err != nil {
		require.ErrorIs(t, err, bus.ErrUnknownTopic)
	}
	return events
}

func (b *testBundle) texts(t *testing.T) []string {
	t.Helper()
	var texts []string
	for _, event := range b.published(t) {
		texts = append(texts, bustest.TextOf(event.Data))
	}
	return texts
}

func (b *testBundle) waiting(t *testing.T) (count int) {
	t.Helper()
	require.NoError(t, b.Admin.QueryRow(t.Context(), `select count(*) from outbox`).Scan(&count))
	return count
}

func (b *testBundle) requireDrained(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return b.waiting(t) == 0 }, patience, tick, "events stay in the outbox")
}

// requireLeading waits until a relay is the active one.
func requireLeading(t *testing.T, relay *relay) {
	t.Helper()
	require.Eventually(t, relay.Leading, patience, tick, "the relay does not become the active one")
}

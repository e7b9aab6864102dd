package inbox_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/bustest"
)

// recordOf is a record with a text, of an organization.
func (b *testBundle) recordOf(t *testing.T, organizationID id.ID, eventType, text string) bus.Record {
	t.Helper()
	event, err := bus.Decode(b.record(t, 0, text))
	require.NoError(t, err)
	event.OrganizationID, event.Type = organizationID, eventType
	record, err := bus.Encode(b.topic.Name, event)
	require.NoError(t, err)
	record.Partition = 0
	return record
}

func (b *testBundle) forget(t *testing.T, organizationID id.ID) error {
	t.Helper()
	return b.DB.InWorkerTx(t.Context(), func(ctx context.Context, tx *pg.Tx) error {
		return inbox.Forget(ctx, tx, organizationID, time.Now())
	})
}

func TestEventsOfAForgottenOrganizationAreDropped(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	const kept = "test.thing.kept"
	gone, other := id.New(), id.New()
	consumer := bundle.consume(t, nil, func(c *inbox.Config) {
		c.Handlers = map[string]inbox.Handler{bustest.EventType: inbox.Each(store), kept: inbox.Each(store)}
		c.Remembered = []string{kept}
	})
	bundle.publish(t, bundle.recordOf(t, gone, bustest.EventType, "before"))
	bundle.requireEffects(t, "before")
	require.NoError(t, bundle.forget(t, gone))
	require.NoError(t, bundle.forget(t, gone), "twice is once")
	bundle.publish(t, bundle.recordOf(t, gone, bustest.EventType, "late"), bundle.recordOf(t, gone, kept, "kept"),
		bundle.recordOf(t, other, bustest.EventType, "other"), bundle.recordOf(t, id.ID{}, bustest.EventType, "nobody's"))
	bundle.requireEffects(t, "before", "kept", "other", "nobody's")
	require.Equal(t, 1.0, metric(t, consumer, "braid_consumer_forgotten_total"))
	require.Equal(t, 0.0, metric(t, consumer, "braid_consumer_duplicates_total"))
	require.Equal(t, 5, bundle.inboxRows(t), "what was dropped does not come again")
	bundle.letters(t, 0)
}

// What is being applied when the organization is forgotten is waited for: whoever erases afterwards finds it.
func TestForgettingWaitsForWhatIsBeingApplied(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	gone := id.New()
	entered, released := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	defer release()
	bundle.consume(t, func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		close(entered)
		<-released
		return store(ctx, tx, event)
	}, nil)
	bundle.publish(t, bundle.recordOf(t, gone, bustest.EventType, "under way"))
	<-entered
	forgotten := make(chan []string, 1)
	go func() {
		if bundle.forget(t, gone) == nil {
			forgotten <- bundle.effects(t)
		}
	}()
	require.Eventually(t, func() bool {
		var waiting int
		err := bundle.Admin.QueryRow(t.Context(), `select count(*) from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())`).Scan(&waiting)
		return err == nil && waiting > 0
	}, patience, tick)
	release()
	require.Equal(t, []string{"under way"}, <-forgotten)
}

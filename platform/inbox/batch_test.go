package inbox_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/bustest"
)

// handed is what a handler was given, call by call.
type handed struct {
	mu    sync.Mutex
	calls [][]string
}

// together is a handler that stores all its events in one statement, and refuses them all when one of them is poison.
func (h *handed) together(ctx context.Context, tx *pg.Tx, events []bus.Event) error {
	var ids []id.ID
	var texts []string
	for _, event := range events {
		ids, texts = append(ids, event.ID), append(texts, bustest.TextOf(event.Data))
	}
	h.mu.Lock()
	h.calls = append(h.calls, texts)
	h.mu.Unlock()
	_, err := tx.Exec(ctx, `insert into effect (event_id, text) select * from unnest($1::uuid[], $2::text[])`, ids, texts)
	if err == nil && slices.Contains(texts, "poison") {
		return errPoison
	}
	return err
}

// One bad event costs the others their batch, and nothing else: they are applied once, in order, before and after it,
// and also when some of them come again in the same batch or were applied before.
func TestPoisonAmongEventsOfABatchHandler(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	texts := numbers(40)
	records := bundle.records(t, texts...)
	poison := bundle.record(t, 0, "poison")
	bundle.publish(t, slices.Concat(records[:20], []bus.Record{poison}, records[10:20], records[20:], records[:5])...)
	var seen handed
	consumer := bundle.consume(t, nil, func(c *inbox.Config) {
		c.Handlers = map[string]inbox.Handler{inbox.Any: seen.together}
	})
	bundle.requireEffects(t, texts...)
	letter := bundle.letters(t, 1)[0]
	require.Equal(t, "poison", bustest.TextOf(letter.Record.Value))
	require.Equal(t, 3, letter.Attempts)
	bundle.publish(t, slices.Concat(records[30:], bundle.records(t, "after"))...)
	bundle.requireEffects(t, append(texts, "after")...)
	require.Equal(t, 41, bundle.inboxRows(t))
	require.Equal(t, 41.0, metric(t, consumer, "braid_consumer_applied_total"))
	seen.mu.Lock()
	defer seen.mu.Unlock()
	require.Contains(t, seen.calls[0], "poison")
	require.Greater(t, len(seen.calls[0]), 1, "the handler gets the whole batch at first")
	tries := 0
	for _, call := range seen.calls {
		if slices.Equal(call, []string{"poison"}) {
			tries++
		}
	}
	require.Equal(t, 3, tries, "the event at fault is tried alone")
}

// Events of different handlers keep the order in which they came: a handler gets those that follow each other.
func TestHandlersGetRunsOfABatchInOrder(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	var records []bus.Record
	for _, text := range strings.Fields("a b other c d other") {
		record := bundle.record(t, 0, text)
		if text == "other" {
			event, err := bus.Decode(record)
			require.NoError(t, err)
			event.Type = "test.thing.renamed"
			record, err = bus.Encode(bundle.topic.Name, event)
			require.NoError(t, err)
			record.Partition = 0
		}
		records = append(records, record)
	}
	bundle.publish(t, records...)
	var seen handed
	bundle.consume(t, nil, func(c *inbox.Config) {
		c.Handlers = map[string]inbox.Handler{bustest.EventType: seen.together, "test.thing.renamed": seen.together}
	})
	bundle.requireEffects(t, strings.Fields("a b other c d other")...)
	seen.mu.Lock()
	defer seen.mu.Unlock()
	require.Equal(t, [][]string{{"a", "b"}, {"other"}, {"c", "d"}, {"other"}}, seen.calls)
}

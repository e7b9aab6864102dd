package inbox_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/bustest"
)

const smallBatch = 10

func smallBatches(c *inbox.Config) { c.BatchEvents = smallBatch }

// keyed returns records of one partition whose key is their text's first letter.
func (b *testBundle) keyed(t *testing.T, texts ...string) (records []bus.Record) {
	t.Helper()
	for _, text := range texts {
		record := b.record(t, 0, text)
		record.Key = []byte(text[:1])
		records = append(records, record)
	}
	return records
}

// lettered returns texts of as many letters in turn, so many of each.
func lettered(letters string, each int) (texts []string) {
	for _, number := range numbers(each) {
		for _, letter := range letters {
			texts = append(texts, string(letter)+number)
		}
	}
	return texts
}

func requireOrderPerLetter(t *testing.T, texts []string) {
	t.Helper()
	byLetter := map[string][]string{}
	for _, text := range texts {
		byLetter[text[:1]] = append(byLetter[text[:1]], text)
	}
	for _, mine := range byLetter {
		require.IsIncreasing(t, mine)
	}
}

// Two transactions of a member that is behind are under way at once: each waits here until it sees the other.
func TestABacklogIsAppliedSideBySideInOrderPerKey(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	texts := lettered("abc", 20)
	records := bundle.keyed(t, texts...)
	bundle.publish(t, slices.Concat(records, records[:7])...)
	var inside atomic.Int32
	both, met := make(chan struct{}), sync.Once{}
	consumer := bundle.consume(t, nil, func(c *inbox.Config) {
		smallBatches(c)
		c.Handlers = map[string]inbox.Handler{inbox.Any: func(ctx context.Context, tx *pg.Tx, events []bus.Event) error {
			if inside.Add(1) == 2 {
				met.Do(func() { close(both) })
			}
			defer inside.Add(-1)
			select {
			case <-both:
			case <-ctx.Done():
				return ctx.Err()
			}
			return inbox.Each(store)(ctx, tx, events)
		}}
	})
	require.Eventually(t, func() bool { return metric(t, consumer, "braid_consumer_duplicates_total") == 7 }, patience, tick)
	effects := bundle.effects(t)
	require.ElementsMatch(t, texts, effects)
	requireOrderPerLetter(t, effects)
}

// What has one key can't be divided between transactions at once; it is still too much for a single one.
func TestABacklogOfOneKeyIsCutIntoBatches(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	texts := lettered("a", 45)
	bundle.publish(t, bundle.keyed(t, texts...)...)
	var seen handed
	bundle.consume(t, nil, func(c *inbox.Config) {
		smallBatches(c)
		c.Handlers = map[string]inbox.Handler{inbox.Any: seen.together}
	})
	bundle.requireEffects(t, texts...)
	seen.mu.Lock()
	defer seen.mu.Unlock()
	for _, call := range seen.calls {
		require.LessOrEqual(t, len(call), smallBatch)
	}
	require.Less(t, len(seen.calls), len(texts)/2, "they share transactions")
}

func TestPoisonOfABacklogCostsNobodyElseAnything(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	texts := lettered("abc", 20)
	bundle.publish(t, bundle.keyed(t, slices.Concat(texts[:25], []string{"poison"}, texts[25:])...)...)
	var seen handed
	bundle.consume(t, nil, func(c *inbox.Config) {
		smallBatches(c)
		c.Handlers = map[string]inbox.Handler{inbox.Any: seen.together}
	})
	require.Equal(t, "poison", bustest.TextOf(bundle.letters(t, 1)[0].Record.Value))
	require.Eventually(t, func() bool { return len(bundle.effects(t)) >= len(texts) }, patience, tick)
	effects := bundle.effects(t)
	require.ElementsMatch(t, texts, effects)
	requireOrderPerLetter(t, effects)
}

// A member that is stopped while one of its transactions waits for the infrastructure has done nothing of what it read:
// all of it comes again, and what had its effect has it once.
func TestAStopLosesNothingOfABacklog(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	texts := lettered("abc", 20)
	bundle.publish(t, bundle.keyed(t, texts...)...)
	waiting := bundle.consume(t, func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		if strings.HasPrefix(bustest.TextOf(event.Data), "a") {
			return errs.New(errs.Unavailable, "UNAVAILABLE", "away")
		}
		return store(ctx, tx, event)
	}, smallBatches)
	require.Eventually(t, func() bool {
		return metric(t, waiting, "braid_consumer_retries_total") > 0 && len(bundle.effects(t)) > 0
	}, patience, tick)
	waiting.stop()
	bundle.consume(t, store, smallBatches)
	require.Eventually(t, func() bool { return len(bundle.effects(t)) >= len(texts) }, patience, tick)
	effects := bundle.effects(t)
	require.ElementsMatch(t, texts, effects)
	requireOrderPerLetter(t, effects)
}

package outbox_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
)

// process says whether it is saturated, and counts how often it was asked.
type process struct {
	saturated atomic.Bool
	asked     atomic.Int32
}

func (p *process) Saturated() bool {
	p.asked.Add(1)
	return p.saturated.Load()
}

// requireAsked waits until the relay has looked several times more.
func (p *process) requireAsked(t *testing.T) {
	t.Helper()
	until := p.asked.Load() + 4
	require.Eventually(t, func() bool { return p.asked.Load() >= until }, patience, tick)
}

// A broker that takes nothing, away or on a full disk, is named after a while, and no longer than that.
func TestRelayTellsThatNothingIsTaken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	manual := clock.NewManual(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	relay := b.relayAt(t, manual, b.DB, func(config *outbox.RelayConfig) { config.PublishTimeout = 200 * time.Millisecond })
	requireLeading(t, relay)
	commit(t, b.DB, event(id.New(), "before"))
	b.requireDrained(t)
	manual.Advance(time.Minute)
	require.NoError(t, relay.Ready(), "nothing waits")
	b.broker.Stop()
	commit(t, b.DB, event(id.New(), "meanwhile"))
	require.Eventually(t, func() bool { return metric(t, relay, "braid_outbox_failures_total") > 0 }, patience, tick)
	manual.Advance(5 * time.Second)
	require.NoError(t, relay.Ready())
	manual.Advance(time.Second)
	require.EqualError(t, relay.Ready(), "the broker has taken no event for 6s")
	b.broker.Start()
	require.Eventually(t, func() bool { return relay.Ready() == nil }, patience, tick)
	b.requireDrained(t)
}

// Requests go before events while there are too many of them, but no event waits longer than two seconds for them, and
// none overtakes another.
func TestEventsWaitForRequestsWithinBounds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var process process
	process.saturated.Store(true)
	manual := clock.NewManual(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	b.relayAt(t, manual, b.DB, func(config *outbox.RelayConfig) { config.Saturated = process.Saturated })
	key := id.New()
	commit := func(text string, age time.Duration) {
		at := clock.NewManual(manual.Now().Add(-age))
		require.NoError(t, b.DB.InTx(t.Context(), pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
			return outbox.Append(ctx, tx, at, event(key, text))
		}))
	}
	commit("first", 0)
	process.requireAsked(t)
	manual.Advance(1900 * time.Millisecond)
	process.requireAsked(t)
	require.Empty(t, b.texts(t))

	commit("young", 0)
	commit("of a slow clock", 3*time.Second)
	manual.Advance(200 * time.Millisecond)
	require.Eventually(t, func() bool { return b.waiting(t) == 2 }, patience, tick)
	process.requireAsked(t)
	require.Equal(t, []string{"first"}, b.texts(t), "what is older stands behind what is young")

	process.saturated.Store(false)
	b.requireDrained(t)
	require.Equal(t, []string{"first", "young", "of a slow clock"}, b.texts(t))
}

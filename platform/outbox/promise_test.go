package outbox_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/testkit/bustest"
)

// countRecords returns 0 for a topic that is not there.
func (b *testBundle) countRecords(t *testing.T, topic string) (count int) {
	t.Helper()
	err := bus.ReadTopic(t.Context(), b.broker.Connection(), topic, bustest.Logger(t), func(bus.Record) error {
		count++
		return nil
	})
	if err != nil {
		require.ErrorIs(t, err, bus.ErrUnknownTopic)
	}
	return count
}

func TestAnIdleRelayWritesAFewWatermarksAndNothingElse(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	started := time.Now()
	relay := bundle.relay(t, bundle.DB, func(c *outbox.RelayConfig) { c.Watermark, c.PollInterval = true, 50*time.Millisecond })
	require.Eventually(t, func() bool { return bundle.countRecords(t, bus.WatermarkTopic(service)) >= 4 }, patience, tick)
	relay.stop()
	most := int(time.Since(started)/(450*time.Millisecond)) + 1
	require.LessOrEqual(t, bundle.countRecords(t, bus.WatermarkTopic(service)), most, "one for all partitions, twice a second")
	require.Zero(t, bundle.countRecords(t, bus.EventTopic(service)), "watermarks are no events")
}

// What a watermark says is held against the topic itself, while relays take over from each other.
func TestWhatWasCommittedBeforeAWatermarkIsInFrontOfItsEnds(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	watermarked := func(c *outbox.RelayConfig) { c.Watermark = true }
	relay := bundle.relay(t, bundle.DB, watermarked)
	requireLeading(t, relay)
	committed := map[string]time.Time{}
	for turn := range 3 {
		next := bundle.relay(t, bundle.anotherProcess(t), watermarked)
		for until := time.Now().Add(time.Second); time.Now().Before(until); {
			text := fmt.Sprint(turn, "-", len(committed))
			commit(t, bundle.DB, event(id.New(), text))
			committed[text] = time.Now()
		}
		relay.stop()
		relay = next
	}
	bundle.requireDrained(t)
	var watermarks []bus.Watermark
	require.NoError(t, bus.ReadTopic(t.Context(), bundle.broker.Connection(), bus.WatermarkTopic(service), bustest.Logger(t), func(record bus.Record) error {
		var watermark bus.Watermark
		watermarks = append(watermarks, watermark)
		return json.Unmarshal(record.Value, &watermarks[len(watermarks)-1])
	}))
	require.Greater(t, len(watermarks), 3)
	// A relay that dies may leave what it sent to be sent again: what counts is where an event is first.
	first := map[string]bus.Event{}
	for _, event := range bundle.published(t) {
		if text := bustest.TextOf(event.Data); first[text].ID.IsZero() {
			first[text] = event
		}
	}
	for text, at := range committed {
		for _, watermark := range watermarks {
			if event := first[text]; at.Before(watermark.Time) {
				require.Less(t, event.Offset, watermark.Offsets[event.Partition], "%s of %s, watermark of %s", text, at, watermark.Time)
			}
		}
	}
}

func TestEventsDoNotFailWithWatermarks(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	tiny := "1"
	_, err := bustest.Administer(t, bundle.broker.Connection()).CreateTopic(t.Context(), 1, 1,
		map[string]*string{"max.message.bytes": &tiny}, bus.WatermarkTopic(service))
	require.NoError(t, err)
	relay := bundle.relay(t, bundle.DB, func(c *outbox.RelayConfig) { c.Watermark = true })
	for range 3 {
		commit(t, bundle.DB, event(id.New(), "x"))
		bundle.requireDrained(t)
	}
	require.Len(t, bundle.texts(t), 3)
	require.Zero(t, bundle.countRecords(t, bus.WatermarkTopic(service)))
	require.Zero(t, metric(t, relay, "braid_outbox_failures_total"), "no round is repeated for a watermark")
	require.Zero(t, metric(t, relay, "braid_outbox_watermark_timestamp_seconds"), "nothing was promised")
}

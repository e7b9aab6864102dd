package inbox

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
)

func TestInboxRowsOutliveEveryWayBack(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	short := Config{Topics: []bus.Topic{{Retention: day}}, DeadLetterRetention: 10 * day}
	require.Greater(t, short.rowRetention(), 20*day, "put aside for ten days, replayed, and kept ten days there")
	long := Config{Topics: []bus.Topic{{Retention: 90 * day}, {Retention: day}}, DeadLetterRetention: 10 * day}
	require.Greater(t, long.rowRetention(), 90*day)
	endless := Config{Topics: []bus.Topic{{Retention: day}, {}}, DeadLetterRetention: day}
	require.Zero(t, endless.rowRetention())
}

func TestOnlyABusyMemberThatKeepsUpWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		consumer := &Consumer{config: Config{BatchEvents: 100}}
		for read, want := range map[int]time.Duration{
			0: 0, gatherFrom - 1: 0, gatherFrom: gatherPause, 99: gatherPause, 100: 0,
		} {
			began := time.Now()
			consumer.gather(t.Context(), read)
			require.Equal(t, want, time.Since(began), "%d records", read)
		}
	})
}

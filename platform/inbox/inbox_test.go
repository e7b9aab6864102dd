package inbox

import (
	"testing"
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

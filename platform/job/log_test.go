package job

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The logger that a queue is given names the service: a second time would make a key that JSON readers take once.
func TestLogLinesNameTheServiceOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var log bytes.Buffer
	b.config.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})).With("service", "notification")
	queue := b.open(t)
	for _, outcome := range []string{outcomeCompleted, outcomeRetried, outcomeDiscarded} {
		queue.logAttempt(context.WithValue(t.Context(), infoKey{}, Info{ID: 7, Attempt: 2}), "send_mail", outcome, errors.New("it broke"))
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	require.Len(t, lines, 3)
	for _, line := range lines {
		require.Equal(t, 1, strings.Count(line, `"service"`), line)
	}
}

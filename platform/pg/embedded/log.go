package embedded

import (
	"bytes"
	"context"
	"log/slog"
	"regexp"
	"strings"
	"sync"
)

// maxLine bounds a line of the server's that is being collected.
const maxLine = 8 << 10

// logWriter turns the server's lines into records. The last lines are kept to explain a start that fails.
type logWriter struct {
	logger *slog.Logger

	mu      sync.Mutex
	partial []byte
	recent  []string
	// full says that the server, or a session, gave up for want of room on the disk.
	full bool
}

// noRoom is how PostgreSQL names ENOSPC; its messages are not translated.
const noRoom = "No space left on device"

var severityPrefix = regexp.MustCompile(`^([A-Z]+[0-9]?):\s+(.*)$`)

// Write implements io.Writer. It never fails: the server must not be held up by its log.
func (w *logWriter) Write(chunk []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.partial = append(w.partial, chunk...)
	for {
		line, rest, found := bytes.Cut(w.partial, []byte{'\n'})
		if !found {
			if len(w.partial) > maxLine {
				w.record(string(w.partial[:maxLine]))
				w.partial = w.partial[:0]
			}
			return len(chunk), nil
		}
		if text := string(bytes.TrimSpace(line)); text != "" {
			w.record(text)
		}
		w.partial = append(w.partial[:0], rest...)
	}
}

func (w *logWriter) record(text string) {
	level, message := slog.LevelDebug, text
	if match := severityPrefix.FindStringSubmatch(text); match != nil {
		message = match[2]
		switch match[1] {
		case "WARNING", "ERROR":
			level = slog.LevelWarn
		case "FATAL":
			level = slog.LevelWarn
		case "PANIC":
			level = slog.LevelError
		}
		gaveUp := match[1] == "FATAL" || match[1] == "PANIC"
		w.full = w.full || gaveUp && strings.Contains(message, noRoom)
	}
	w.recent = append(w.recent, text)
	if len(w.recent) > 8 {
		w.recent = w.recent[1:]
	}
	w.logger.Log(context.Background(), level, message, "component", "postgres")
}

// last returns the newest lines.
func (w *logWriter) last() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.recent...)
}

func (w *logWriter) saysFull() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.full
}

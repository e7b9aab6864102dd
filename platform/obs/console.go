package obs

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
)

// consoleHandler writes lines for people: time, level, message, attributes. Groups become prefixes with a dot. It stands
// behind contextHandler, which has taken secrets out and resolved values.
type consoleHandler struct {
	mu    *sync.Mutex
	w     io.Writer
	level slog.Leveler
	color bool
	// before holds the rendered attributes of WithAttrs.
	before string
}

func newConsoleHandler(w io.Writer, level slog.Leveler, color bool) *consoleHandler {
	return &consoleHandler{mu: &sync.Mutex{}, w: w, level: level, color: color}
}

// Enabled implements slog.Handler.
func (h *consoleHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

// Handle implements slog.Handler.
func (h *consoleHandler) Handle(_ context.Context, record slog.Record) error {
	var line strings.Builder
	if !record.Time.IsZero() {
		line.WriteString(paint(h.color, dim, record.Time.Format("15:04:05.000")) + " ")
	}
	line.WriteString(paint(h.color, levelColor(record.Level), pad(record.Level.String(), 5)) + " ")
	line.WriteString(pad(printable(record.Message), 32))
	line.WriteString(h.before)
	record.Attrs(func(attr slog.Attr) bool {
		writeAttr(&line, "", attr, h.color)
		return true
	})
	text := strings.TrimRight(line.String(), " ") + "\n"
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.w, text)
	return err
}

// WithAttrs implements slog.Handler.
func (h *consoleHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var rendered strings.Builder
	for _, attr := range attrs {
		writeAttr(&rendered, "", attr, h.color)
	}
	copied := *h
	copied.before += rendered.String()
	return &copied
}

// WithGroup implements slog.Handler. The handler in front keeps groups to itself and hands them on as attributes.
func (h *consoleHandler) WithGroup(string) slog.Handler { return h }

func writeAttr(line *strings.Builder, prefix string, attr slog.Attr, color bool) {
	if attr.Value.Kind() == slog.KindGroup {
		if attr.Key != "" {
			prefix += attr.Key + "."
		}
		for _, inner := range attr.Value.Group() {
			writeAttr(line, prefix, inner, color)
		}
		return
	}
	if attr.Equal(slog.Attr{}) {
		return
	}
	value := attr.Value.String()
	if attr.Value.Kind() == slog.KindTime {
		value = attr.Value.Time().UTC().Format(time.RFC3339Nano)
	}
	if value == "" || strings.ContainsAny(value, " \"=") {
		value = strconv.Quote(value)
	}
	line.WriteString(" " + paint(color, dim, printable(prefix+attr.Key)+"=") + printable(value))
}

// The colors are those of ECMA-48, which every terminal knows.
const (
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	green  = "\x1b[32m"
	reset  = "\x1b[0m"
)

func levelColor(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return red
	case level >= slog.LevelWarn:
		return yellow
	case level >= slog.LevelInfo:
		return green
	}
	return dim
}

func paint(enabled bool, color, text string) string {
	if !enabled {
		return text
	}
	return color + text + reset
}

// printable replaces what could move the cursor, forge a line or hide one: log texts come from outside too.
func printable(text string) string {
	return strings.Map(func(letter rune) rune {
		if letter != '\t' && !unicode.IsPrint(letter) {
			return '�'
		}
		return letter
	}, text)
}

func pad(text string, width int) string {
	if missing := width - len(text); missing > 0 {
		return text + strings.Repeat(" ", missing)
	}
	return text
}

// Package obs is how Braid is watched from outside: logs, traces, metrics and the admin port that shows them.
//
// It owns formats, redaction and buffering. It decides nothing about what is logged or measured, and keeps no secret
// from being handed to it: the redaction here is the last line, not the first.
package obs

import (
	"context"
	"io"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/braidhq/braid/platform/call"
)

// Format is how log lines look.
type Format string

// The formats.
const (
	// JSON writes one JSON object a line, for machines.
	JSON Format = "json"
	// Console writes readable lines, for a terminal.
	Console Format = "console"
)

// flushEvery is the longest time an ordinary line waits in the buffer.
const flushEvery = 500 * time.Millisecond

// LogOptions say how a logger writes.
type LogOptions struct {
	// Level is the lowest level that is written.
	Level slog.Leveler
	// Format is JSON when empty.
	Format Format
	// Color paints console lines; meant for terminals only.
	Color bool
}

// NewLogger returns a logger on w. Every line gets the correlation, trace, organization and user ids of its context,
// and attributes that look like secrets are masked (see IsSensitiveKey).
//
// Lines are buffered, because a write of its own for each costs more than everything else about it: they reach w
// after half a second, when the buffer is full, with the next warning or error, and when closeLog is called, after
// which the logger still works but no longer buffers. A process that dies otherwise loses its last ordinary lines.
func NewLogger(w io.Writer, options LogOptions) (logger *slog.Logger, closeLog func() error) {
	buffer := newBufferedWriter(w, flushEvery)
	level := options.Level
	if level == nil {
		level = slog.LevelInfo
	}
	var inner slog.Handler
	if options.Format == Console {
		inner = newConsoleHandler(buffer, level, options.Color)
	} else {
		inner = slog.NewJSONHandler(buffer, &slog.HandlerOptions{Level: level})
	}
	return slog.New(&contextHandler{inner: inner, flush: buffer.Flush}), buffer.Close
}

// contextHandler adds what the context knows about the work in hand, and takes secrets out. What it hands on is safe.
type contextHandler struct {
	inner slog.Handler
	flush func() error
	// later holds the groups opened by WithGroup, outermost first, and the attributes added within them: the
	// context's ids belong to the top level, so groups can't be handed on to inner.
	later []grouped
}

type grouped struct {
	group string
	attrs []slog.Attr
	// sensitive says that this group or one around it has a name under which nothing may be shown.
	sensitive bool
}

// Enabled implements slog.Handler.
func (h *contextHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.inner.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *contextHandler) Handle(ctx context.Context, record slog.Record) error {
	record = redactRecord(record, h.sensitive())
	if len(h.later) > 0 {
		record = h.nest(record)
	}
	var ids [4]slog.Attr
	known := ids[:0]
	work := call.From(ctx)
	if work.CorrelationID != "" {
		known = append(known, slog.String("correlation_id", work.CorrelationID))
	}
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		known = append(known, slog.String("trace_id", span.TraceID().String()))
	}
	if !work.OrganizationID.IsZero() {
		known = append(known, slog.String("organization_id", work.OrganizationID.String()))
	}
	if !work.Actor.UserID.IsZero() {
		known = append(known, slog.String("user_id", work.Actor.UserID.String()))
	}
	if len(known) > 0 {
		record = record.Clone()
		record.AddAttrs(known...)
	}
	if err := h.inner.Handle(ctx, record); err != nil {
		return err
	}
	if record.Level >= slog.LevelWarn {
		return h.flush()
	}
	return nil
}

// nest moves a record's attributes into the open groups.
func (h *contextHandler) nest(record slog.Record) slog.Record {
	var attrs []slog.Attr
	record.Attrs(func(attr slog.Attr) bool {
		attrs = append(attrs, attr)
		return true
	})
	for i := len(h.later) - 1; i >= 0; i-- {
		within := append(append([]slog.Attr(nil), h.later[i].attrs...), attrs...)
		attrs = []slog.Attr{{Key: h.later[i].group, Value: slog.GroupValue(within...)}}
	}
	nested := slog.NewRecord(record.Time, record.Level, record.Message, record.PC)
	nested.AddAttrs(attrs...)
	return nested
}

// WithAttrs implements slog.Handler.
func (h *contextHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	attrs = redactAttrs(attrs, h.sensitive())
	if len(h.later) == 0 {
		return &contextHandler{inner: h.inner.WithAttrs(attrs), flush: h.flush}
	}
	later := append([]grouped(nil), h.later...)
	last := &later[len(later)-1]
	last.attrs = append(append([]slog.Attr(nil), last.attrs...), attrs...)
	return &contextHandler{inner: h.inner, flush: h.flush, later: later}
}

// WithGroup implements slog.Handler.
func (h *contextHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	later := append(append([]grouped(nil), h.later...),
		grouped{group: name, sensitive: h.sensitive() || IsSensitiveKey(name)})
	return &contextHandler{inner: h.inner, flush: h.flush, later: later}
}

// sensitive reports whether what is added now stands in a group with a sensitive name.
func (h *contextHandler) sensitive() bool {
	return len(h.later) > 0 && h.later[len(h.later)-1].sensitive
}

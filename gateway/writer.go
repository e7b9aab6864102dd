package gateway

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// heldBack is how much of a stream's answer net/http collects before it must go out.
const heldBack = 4 << 10

// statusWriter remembers the status for the metrics, and goes with the request through the gateway. Over HTTP/2 it also
// bounds each write, because a client may keep the window of a stream shut while its connection is well (see Pace).
type statusWriter struct {
	http.ResponseWriter
	status int
	// client is the caller's address as the gateway found it.
	client netip.Addr
	// unread is whether there is a body that nobody has read.
	unread bool
	// repeatable is whether the request may be made twice without a second effect.
	repeatable bool

	// timeout is how long one write may take, 0 over HTTP/1.1. held is what was written and may not have gone out.
	timeout time.Duration
	held    int
	due     time.Time
	slow    prometheus.Counter
}

func (g *Gateway) newStatusWriter(w http.ResponseWriter, r *http.Request) *statusWriter {
	writer := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	if r.ProtoMajor > 1 {
		writer.timeout, writer.slow = g.Config.WriteTimeout, g.metrics.slow
	}
	return writer
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *statusWriter) Write(data []byte) (written int, err error) {
	if w.timeout == 0 {
		return w.ResponseWriter.Write(data)
	}
	for {
		count, err := w.writePiece(data[written:min(len(data), written+pieceSize)])
		if written += count; err != nil || written == len(data) {
			return written, err
		}
	}
}

func (w *statusWriter) writePiece(piece []byte) (int, error) {
	if w.held+len(piece) <= heldBack {
		w.held += len(piece)
		return w.ResponseWriter.Write(piece)
	}
	w.held = heldBack
	w.bound()
	count, err := w.ResponseWriter.Write(piece)
	w.unbound(err)
	return count, err
}

// Flush implements http.Flusher, for streams through handlers that look for it.
func (w *statusWriter) Flush() { _ = w.FlushError() }

// FlushError is what http.ResponseController looks for.
func (w *statusWriter) FlushError() error {
	controller := http.NewResponseController(w.ResponseWriter)
	if w.timeout == 0 || w.held == 0 {
		return controller.Flush()
	}
	w.held = 0
	w.bound()
	err := controller.Flush()
	w.unbound(err)
	return err
}

// end bounds the last write, which follows when the handlers are done.
func (w *statusWriter) end() {
	if w.held > 0 {
		w.bound()
	}
}

func (w *statusWriter) bound() {
	w.due = time.Now().Add(w.timeout)
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(w.due)
}

// unbound lifts the deadline: a stream may rest for long until its next write.
func (w *statusWriter) unbound(err error) {
	if err != nil {
		if !time.Now().Before(w.due) {
			w.slow.Inc()
		}
		return
	}
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Time{})
}

// Unwrap lets http.ResponseController find the real writer.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

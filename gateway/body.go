package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/rpc"
)

const (
	// A body that nobody wants is waited for only so long and so far: when it is there, the connection can be kept.
	unwantedWait = 50 * time.Millisecond
	unwantedSize = 64 << 10
	// A client that reads its answer only when it has sent its whole body would lose the answer if the stream or the
	// connection ended earlier: what it sends is thrown away for so long and so far.
	drainFor  = 2 * time.Second
	drainSize = 8 << 20
)

// limitBody gives the client until BodyTimeout to send its body.
func (g *Gateway) limitBody(w *statusWriter, r *http.Request) {
	if r.Body != nil && r.Body != http.NoBody {
		w.unread = true
		g.awaitBody(w, g.Config.BodyTimeout)
	}
}

func (g *Gateway) awaitBody(w http.ResponseWriter, limit time.Duration) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(limit))
}

// liftBodyDeadline ends the limit: the answer may take longer, and the connection serves other requests.
func liftBodyDeadline(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
}

// readBody takes the whole body in before a service sees the request: a slow client holds up only itself, and a
// backend that refuses the connection can be passed over for the next.
func (g *Gateway) readBody(w *statusWriter, r *http.Request) error {
	if !w.unread {
		return nil
	}
	body, err := rpc.ReadBody(w, r)
	switch {
	case errors.Is(err, rpc.ErrBodyTooLarge):
		return err
	case err != nil:
		return errs.New(errs.InvalidArgument, "INVALID_ARGUMENT", "The body did not arrive whole in time.").WithCause(err)
	}
	w.unread = false
	r.Body = io.NopCloser(bytes.NewReader(body))
	liftBodyDeadline(w)
	r.ContentLength, r.TransferEncoding = int64(len(body)), nil
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	return nil
}

// answerUnread answers a request without the body that is still to come, at once.
func (g *Gateway) answerUnread(w *statusWriter, r *http.Request, answer func(http.ResponseWriter)) {
	multiplexed := r.ProtoMajor > 1
	switch {
	case !w.unread, multiplexed && isGRPC(r):
		// The clients of gRPC take the answer when it comes, and want it whole.
		answer(w)
		return
	case r.Header.Get("Expect") != "":
		// The client has not begun, and reading would ask it to.
		w.Header().Set("Connection", "close")
		g.awaitBody(w, drainFor)
		answer(w)
		return
	case !multiplexed && g.dropBody(w, r):
		answer(w)
		return
	}
	if !multiplexed {
		w.Header().Set("Connection", "close")
	}
	whole := &wholeWriter{statusWriter: w}
	answer(whole)
	whole.send()
	g.awaitBody(w, drainFor)
	_, _ = io.CopyN(io.Discard, r.Body, drainSize)
}

// wholeWriter collects a short answer, so that it goes out with its length: the client then has all of it before the
// handler is done.
type wholeWriter struct {
	*statusWriter
	text bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (w *wholeWriter) WriteHeader(status int) { w.status = status }

// Write implements http.ResponseWriter.
func (w *wholeWriter) Write(text []byte) (int, error) { return w.text.Write(text) }

func (w *wholeWriter) send() {
	w.Header().Set("Content-Length", strconv.Itoa(w.text.Len()))
	w.statusWriter.WriteHeader(w.status)
	_, _ = w.statusWriter.Write(w.text.Bytes())
	w.Flush()
}

// dropBody throws a body away that is as good as here, and reports whether it was.
func (g *Gateway) dropBody(w *statusWriter, r *http.Request) bool {
	if r.ContentLength > unwantedSize {
		return false
	}
	g.awaitBody(w, unwantedWait)
	if _, err := io.CopyN(io.Discard, r.Body, unwantedSize+1); !errors.Is(err, io.EOF) {
		return false
	}
	liftBodyDeadline(w)
	w.unread = false
	return true
}

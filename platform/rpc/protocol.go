package rpc

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/braidhq/braid/platform/errs"
)

// connectOptions are the options of every generated Connect handler. What the library would refuse in words of its own,
// without details, is let through to the codecs, whose verdict the chain turns into an error like every other.
var connectOptions = []connect.HandlerOption{
	connect.WithCodec(strictCodec{name: "json"}),
	connect.WithCodec(strictCodec{name: "json; charset=utf-8"}),
	connect.WithCodec(binaryCodec{}),
	connect.WithCompression("gzip", newDecompressor, func() connect.Compressor { return gzip.NewWriter(io.Discard) }),
	connect.WithReadMaxBytes(MaxBody + 1),
	connect.WithSendMaxBytes(16 * MaxBody),
}

var connectErrors = connect.NewErrorWriter(connectOptions...)

// decompressor ends one byte behind what a body may have: a little that unpacks to a lot is cut off, and too large.
type decompressor struct {
	gzip.Reader
	left int
}

func newDecompressor() connect.Decompressor { return &decompressor{} }

// Read implements io.Reader.
func (d *decompressor) Read(target []byte) (int, error) {
	if d.left == 0 {
		return 0, io.EOF
	}
	count, err := d.Reader.Read(target[:min(len(target), d.left)])
	d.left -= count
	return count, err
}

// Reset implements connect.Decompressor.
func (d *decompressor) Reset(source io.Reader) error {
	d.left = MaxBody + 1
	return d.Reader.Reset(source)
}

// Refuse answers with an error in the protocol of the request.
func Refuse(w http.ResponseWriter, r *http.Request, failure *Failure) {
	if isRPC(r) && connectErrors.IsSupported(r) {
		_ = connectErrors.Write(w, r, failure)
		return
	}
	WriteError(w, failure)
}

// isRPC tells the paths of procedures from REST paths.
func isRPC(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/braid.") || strings.HasPrefix(r.URL.Path, "/grpc.")
}

// serveRPC checks what HTTP itself demands, where Connect would answer with an empty body, and hands over to it.
func (s *Server) serveRPC(ctx context.Context, w http.ResponseWriter, r *http.Request, in *inbound) {
	if err := s.checkRPC(w, r); err != nil {
		Refuse(w, r, failureOf(err, in.correlationID))
		return
	}
	s.connect.ServeHTTP(w, r.WithContext(context.WithValue(ctx, inboundKey{}, in)))
}

func (s *Server) checkRPC(w http.ResponseWriter, r *http.Request) error {
	method := s.router.procedures[r.URL.Path]
	if method == nil {
		return ErrPathUnknown
	}
	if r.Method != http.MethodPost && (r.Method != http.MethodGet || !method.ReadOnly) {
		w.Header().Set("Allow", allowRPC(method))
		return ErrMethodNotAllowed
	}
	if !connectErrors.IsSupported(r) {
		return errMediaType
	}
	if _, err := callerTimeout(r.Header); err != nil {
		return err
	}
	return nil
}

func allowRPC(method *Method) string {
	if method.ReadOnly {
		return "GET, POST"
	}
	return "POST"
}

// Deadline is how long a service may take for a request: what the caller allows, up to a bound, or the usual. A service
// holds itself to it, so who forwards the request may give up a little later.
func Deadline(header http.Header) time.Duration {
	if timeout, err := callerTimeout(header); err == nil && timeout > 0 {
		return min(timeout, maxDeadline)
	}
	return defaultDeadline
}

// grpcUnits are the units of the Grpc-Timeout header.
var grpcUnits = map[byte]time.Duration{
	'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
}

// callerTimeout reads how long the caller waits, 0 when it does not say: up to ten digits of milliseconds, or up to eight
// digits and a unit.
func callerTimeout(header http.Header) (time.Duration, error) {
	if text := header.Get("Connect-Timeout-Ms"); text != "" {
		return readTimeout("Connect-Timeout-Ms", text, 10, time.Millisecond)
	}
	text := header.Get("Grpc-Timeout")
	if text == "" {
		return 0, nil
	}
	last := len(text) - 1
	return readTimeout("Grpc-Timeout", text[:last], 8, grpcUnits[text[last]])
}

func readTimeout(header, text string, most int, unit time.Duration) (time.Duration, error) {
	count, err := strconv.ParseUint(text, 10, 63)
	if err != nil || len(text) > most || unit == 0 {
		return 0, errs.Invalid(header, "timeout.malformed", "can't be read")
	}
	if count > uint64(maxDeadline/unit) {
		return maxDeadline, nil
	}
	return time.Duration(count) * unit, nil
}

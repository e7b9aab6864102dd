package rpc

import (
	"context"
	"net/http"
	"strings"

	"connectrpc.com/connect"
)

// connectOptions are the options of every generated Connect handler. What the library would refuse in words of its own,
// without details, never comes to it (message.go), or is let through to the codecs, whose verdict the chain turns into
// an error like every other.
var connectOptions = []connect.HandlerOption{
	connect.WithCodec(strictCodec{}),
	connect.WithCodec(binaryCodec{}),
	connect.WithSendMaxBytes(16 * MaxBody),
}

var connectErrors = connect.NewErrorWriter(connectOptions...)

// Refuse answers with an error in the protocol of the request.
func Refuse(w http.ResponseWriter, r *http.Request, failure *Failure) {
	family := ""
	if r.Method == http.MethodPost {
		family = familyOf(r.Header.Get("Content-Type"))
	}
	switch {
	case family != "":
		// Frames and trailers tell the error; HTTP itself says 200.
		if family == grpcWebTextFamily {
			// Without a body there is nothing that could be text.
			r = r.Clone(r.Context())
			r.Header.Set("Content-Type", "application/grpc-web")
		}
	case isRPC(r):
		if status, ok := reasonStatuses[failure.Problem.Reason]; ok {
			w = fixedStatus{w, status}
		}
	default:
		WriteError(w, failure)
		return
	}
	w.Header().Set(CorrelationHeader, failure.CorrelationID)
	_ = connectErrors.Write(w, r, failure)
}

// fixedStatus answers with the HTTP status of a reason where Connect knows only that of a code.
type fixedStatus struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (f fixedStatus) WriteHeader(int) { f.ResponseWriter.WriteHeader(f.status) }

const grpcWebTextFamily = "application/grpc-web-text"

// familyOf returns what a content type has before its codec when that names a protocol of frames, whatever the codec.
func familyOf(contentType string) string {
	contentType, _, _ = strings.Cut(contentType, ";")
	contentType, _, _ = strings.Cut(contentType, "+")
	switch family := strings.ToLower(strings.TrimSpace(contentType)); family {
	case "application/grpc", "application/grpc-web", grpcWebTextFamily, "application/connect":
		return family
	default:
		return ""
	}
}

// isRPC tells the paths of procedures from REST paths, and knows a Connect client that has the wrong one.
func isRPC(r *http.Request) bool {
	return isProcedure(r) || len(r.Header[connectVersionHeader]) > 0
}

func isProcedure(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/braid.") || strings.HasPrefix(r.URL.Path, "/grpc.")
}

// serveRPC checks what HTTP and the protocols demand, where Connect would answer with an empty body or in its own words,
// and hands over to it.
func (s *Server) serveRPC(ctx context.Context, w http.ResponseWriter, r *http.Request, in *inbound) {
	plain, err := s.readRPC(w, r, in)
	if err != nil {
		Refuse(w, r, failureOf(err, in.correlationID))
		return
	}
	s.connect.ServeHTTP(w, plain.WithContext(context.WithValue(ctx, inboundKey{}, in)))
}

// readRPC returns the request as Connect can't fail to understand it: posted, whole, unpacked, without a timeout.
func (s *Server) readRPC(w http.ResponseWriter, r *http.Request, in *inbound) (*http.Request, error) {
	method := s.router.procedures[r.URL.Path]
	if method == nil {
		return nil, ErrPathUnknown
	}
	read := readPosted
	switch {
	case r.Method == http.MethodPost:
	case r.Method == http.MethodGet && method.ReadOnly && !method.Stream:
		// As the library does: what the answer looks like depends on this header.
		w.Header().Add("Vary", "Accept-Encoding")
		read = readQueried
	default:
		w.Header().Set("Allow", allowRPC(method))
		return nil, ErrMethodNotAllowed
	}
	if err := in.takeDeadline(r.Header); err != nil {
		return nil, err
	}
	message, err := read(w, r, method)
	if err != nil {
		return nil, err
	}
	return message.post(r), nil
}

func allowRPC(method *Method) string {
	if method.ReadOnly && !method.Stream {
		return "GET, POST"
	}
	return "POST"
}

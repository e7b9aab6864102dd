package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/braidhq/braid/platform/errs"
)

// ErrNotHere answers a request for a service that runs elsewhere: the caller has a wrong address.
var ErrNotHere = errs.New(errs.Unavailable, "UNAVAILABLE", "The service does not run here.")

var (
	errPathUnknown      = errs.New(errs.NotFound, "PATH_UNKNOWN", "No method has this path.")
	errMethodNotAllowed = errs.New(errs.Unimplemented, "METHOD_NOT_ALLOWED", "The path takes another HTTP method.")
	errBodyTooLarge     = errs.New(errs.InvalidArgument, "BODY_TOO_LARGE", "The body is larger than 1 MiB.")
	errMediaType        = errs.New(errs.InvalidArgument, "MEDIA_TYPE_UNSUPPORTED", "Send JSON as application/json.")
)

// installQueryParser sets what grpc-gateway keeps as one variable for the whole process: doing it for each server would
// be a race with those that serve already.
var installQueryParser = sync.OnceFunc(func() {
	runtime.NewServeMux(runtime.SetQueryParameterParser(queryParser{}))
})

func newREST(server *Server) *runtime.ServeMux {
	installQueryParser()
	drop := func(string) (string, bool) { return "", false }
	return runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, restMarshaler{}),
		runtime.WithErrorHandler(server.writeRESTError),
		runtime.WithRoutingErrorHandler(server.writeRoutingError),
		runtime.WithIncomingHeaderMatcher(drop),
		runtime.WithOutgoingHeaderMatcher(drop),
		runtime.WithDisablePathLengthFallback(),
	)
}

// serveREST reads the body whole, so that it can be explained when it is wrong, and checks what HTTP itself demands.
func (s *Server) serveREST(w http.ResponseWriter, r *http.Request, in *inbound) {
	if r.Body != nil && r.Body != http.NoBody {
		body, err := readBody(w, r)
		if err != nil {
			WriteError(w, failureOf(err, in.correlationID))
			return
		}
		in.body = body
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	s.rest.ServeHTTP(w, r)
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > MaxBody {
		return nil, errBodyTooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, errBodyTooLarge
	case err != nil:
		return nil, errs.New(errs.Canceled, "CANCELED", "The body did not arrive whole.").WithCause(err)
	case len(body) == 0:
		return body, nil
	}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return nil, errMediaType
	}
	return body, nil
}

// writeRESTError answers with an error. One that did not come from the chain is grpc-gateway's: it could not read the
// request, and the request itself says best why.
func (s *Server) writeRESTError(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	in := inboundFrom(r.Context())
	var failure *Failure
	if !errors.As(err, &failure) {
		failure = failureOf(s.explain(ctx, in, err), in.correlationID)
	}
	if method := s.methodOf(ctx); method != nil {
		failure = failure.relativeTo(method.Body)
	}
	WriteError(w, failure)
}

func (s *Server) methodOf(ctx context.Context) *Method {
	procedure, _ := runtime.RPCMethod(ctx)
	return s.methods[procedure]
}

// explain finds out what is wrong with a request that could not be read.
func (s *Server) explain(ctx context.Context, in *inbound, err error) error {
	if method := s.methodOf(ctx); method != nil {
		if violations := explainRequest(method, in); len(violations) > 0 {
			return invalid(violations...).WithCause(err)
		}
	}
	if code := status.Code(err); code == codes.InvalidArgument {
		return invalid(malformed).WithCause(err)
	}
	return err
}

// relativeTo spells fields as the caller of REST wrote them: the body is the field, so its name is not theirs.
func (f *Failure) relativeTo(body string) *Failure {
	if body == "" || body == "*" || len(f.Problem.Violations) == 0 {
		return f
	}
	copied := *f.Problem
	copied.Violations = append([]errs.Violation(nil), f.Problem.Violations...)
	for i := range copied.Violations {
		copied.Violations[i].Field = strings.TrimPrefix(copied.Violations[i].Field, jsonPath(body)+".")
	}
	return &Failure{Problem: &copied, CorrelationID: f.CorrelationID}
}

func (s *Server) writeRoutingError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
	in := inboundFrom(r.Context())
	answer := errPathUnknown
	switch code {
	case http.StatusMethodNotAllowed:
		answer = errMethodNotAllowed
		w.Header().Set("Allow", strings.Join(s.allowed(r.URL.Path), ", "))
	case http.StatusBadRequest:
		answer = errs.Invalid("", "path.malformed", "the path can't be read")
	}
	WriteError(w, failureOf(answer, in.correlationID))
}

// allowed lists the HTTP methods that a path takes, sorted. It is slow, and only asked for those it does not take.
func (s *Server) allowed(path string) []string {
	router, err := NewRouter(s.methods)
	if err != nil {
		return nil
	}
	segments, verb := splitPath(path)
	return slices.Sorted(maps.Keys(router.root.find(segments, verb)))
}

// WriteError writes the error body of REST: google.rpc.Status in JSON with the correlation id beside it.
func WriteError(w http.ResponseWriter, failure *Failure) {
	httpStatus := failure.httpStatus()
	details := make([]json.RawMessage, 0, 4)
	for _, message := range failure.details() {
		packed, err := anypb.New(message)
		if err != nil {
			continue
		}
		if encoded, err := protojson.Marshal(packed); err == nil {
			details = append(details, encoded)
		}
	}
	body, err := json.Marshal(map[string]any{"error": map[string]any{
		"code": httpStatus.code, "status": httpStatus.name, "message": failure.Problem.Message,
		"details": details, "correlationId": failure.CorrelationID,
	}})
	if err != nil {
		body = []byte(`{"error":{"code":500,"status":"INTERNAL"}}`)
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set(CorrelationHeader, failure.CorrelationID)
	if seconds := failure.retryAfterSeconds(); seconds > 0 {
		header.Set("Retry-After", strconv.Itoa(seconds))
	}
	if failure.Problem.Kind == errs.Unauthenticated {
		header.Set("WWW-Authenticate", fmt.Sprintf("Bearer realm=%q", Domain))
	}
	w.WriteHeader(httpStatus.code)
	_, _ = w.Write(append(body, '\n'))
}

// Fail builds a Failure for parts that answer HTTP without an RPC, such as the gateway.
func Fail(err error, correlationID string) *Failure { return failureOf(err, correlationID) }

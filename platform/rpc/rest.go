package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/jsonwire"
)

// restHandler answers one REST request whose method is found.
type restHandler func(ctx context.Context, w http.ResponseWriter, r *restRequest)

// restRequest is a REST request before it is a message.
type restRequest struct {
	*http.Request
	*inbound
	method    *Method
	variables variables
	body      []byte
}

// serveREST finds the method, reads the body whole, so that it can be explained when it is wrong, and checks what HTTP
// itself demands.
func (s *Server) serveREST(ctx context.Context, w http.ResponseWriter, r *http.Request, in *inbound) {
	request := restRequest{Request: r, inbound: in}
	err := s.readREST(w, &request)
	if err != nil {
		s.router.SetAllow(w.Header(), r.URL, err)
		if request.method != nil && request.method.Form {
			writeFormError(w, failureOf(err, in.correlationID))
			return
		}
		Refuse(w, r, failureOf(err, in.correlationID))
		return
	}
	s.rest[request.method.Procedure](ctx, w, &request)
}

func (s *Server) readREST(w http.ResponseWriter, request *restRequest) (err error) {
	if request.method, err = s.router.find(request.Method, request.URL, &request.variables); err != nil {
		return err
	}
	if request.method.Form {
		request.body, err = readFormBody(w, request.Request)
		return err
	}
	request.body, err = readBody(w, request.Request)
	return err
}

// ReadBody reads a request's body whole. ErrBodyTooLarge is its only error of ours: any other is the connection's.
func ReadBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > MaxBody {
		return nil, ErrBodyTooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, ErrBodyTooLarge
	}
	return body, err
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := readWhole(w, r)
	if err != nil || len(body) == 0 {
		return body, err
	}
	if err := checkSingle(r.Header, contentTypeHeader); err != nil {
		return nil, err
	}
	if !isPlain(r.Header.Get("Content-Encoding")) {
		return nil, errPacked
	}
	if !isJSON(r.Header.Get(contentTypeHeader)) {
		return nil, errMediaType
	}
	return body, nil
}

func isJSON(contentType string) bool {
	return contentType == jsonType[0] || mediaType(contentType) == jsonType[0]
}

func isPlain(contentEncoding string) bool {
	return contentEncoding == "" || strings.EqualFold(contentEncoding, "identity")
}

// decode fills the message from the body, the query and the path, which must not contradict each other.
func (r *restRequest) decode(message protoreflect.Message) error {
	if err := r.decodeBody(message); err != nil {
		return err
	}
	if r.URL.RawQuery != "" {
		if err := r.decodeQuery(message); err != nil {
			return err
		}
	}
	for i, field := range r.method.variables {
		value := r.variables.values[i]
		if message.Has(field) && message.Get(field).String() != value {
			return errs.Invalid(field.JSONName(), "path.other", "is another than in the path")
		}
		message.Set(field, protoreflect.ValueOfString(value))
	}
	return r.checkResource(message)
}

// checkResource refuses a body that is another resource than the one in the path, which its last variable names.
func (r *restRequest) checkResource(message protoreflect.Message) error {
	last := len(r.method.variables) - 1
	if r.method.bodyField == nil || last < 0 {
		return nil
	}
	resource := message.Get(r.method.bodyField).Message()
	field := resource.Descriptor().Fields().ByName("id")
	if field != nil && resource.Has(field) && resource.Get(field).String() != r.variables.values[last] {
		return errs.Invalid(field.JSONName(), "path.other", "is another than in the path")
	}
	return nil
}

func (r *restRequest) decodeBody(message protoreflect.Message) error {
	switch {
	case len(r.body) == 0:
		return nil
	case r.method.Body == "":
		return r.refuseBody()
	case r.method.bodyField == nil:
		return r.explain(decodeJSON.Unmarshal(r.body, message.Interface()))
	}
	resource := message.Mutable(r.method.bodyField).Message()
	if err := decodeJSON.Unmarshal(r.body, resource.Interface()); err != nil {
		return r.explain(err)
	}
	return r.maskPresent(message, resource.Descriptor())
}

// refuseBody lets an empty object through, which some clients always send.
func (r *restRequest) refuseBody() error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(r.body, &fields); err == nil && len(fields) == 0 {
		return nil
	}
	return invalid(bodyNone)
}

var bodyNone = errs.Violation{Rule: "body.none", Message: "the request takes no body"}

// maskPresent lets a PATCH change the fields that its body names; a mask in the query replaces this one.
func (r *restRequest) maskPresent(message protoreflect.Message, resource protoreflect.MessageDescriptor) error {
	field := message.Descriptor().Fields().ByName("update_mask")
	if field == nil || r.method.HTTPMethod != http.MethodPatch {
		return nil
	}
	var present map[string]json.RawMessage
	if err := json.Unmarshal(r.body, &present); err != nil {
		return err
	}
	mask := &fieldmaskpb.FieldMask{}
	for name := range present {
		if named := fieldNamed(resource, name); named != nil {
			mask.Paths = append(mask.Paths, string(named.Name()))
		}
	}
	slices.Sort(mask.Paths)
	message.Set(field, protoreflect.ValueOfMessage(mask.ProtoReflect()))
	return nil
}

// explain finds out what is wrong with a body that could not be read.
func (r *restRequest) explain(err error) error {
	if err == nil {
		return nil
	}
	if violations := r.method.explainBody(r.body); len(violations) > 0 {
		return invalid(violations...).WithCause(err)
	}
	return invalid(malformed).WithCause(err)
}

// fail answers with what the chain or the decoder refused.
func (r *restRequest) fail(w http.ResponseWriter, err error) {
	WriteError(w, failureOf(err, r.correlationID).relativeTo(r.method.Body))
}

// answers are the buffers that answers are encoded into.
var answers = sync.Pool{New: func() any { return new([]byte) }}

// maxPooledAnswer keeps rare, huge buffers out of the pool.
const maxPooledAnswer = 64 << 10

// counted is the length up to which net/http finds out the length of an answer by itself.
const counted = 2048

// answer writes a message.
func (r *restRequest) answer(w http.ResponseWriter, message proto.Message) {
	if file, ok := message.(*httpbody.HttpBody); ok {
		r.answerFile(w, file)
		return
	}
	pooled, _ := answers.Get().(*[]byte)
	encoded, err := appendJSON((*pooled)[:0], message)
	if err != nil {
		r.fail(w, fmt.Errorf("encode the answer: %w", err))
		return
	}
	header := w.Header()
	header["Content-Type"] = jsonType
	if len(encoded) > counted {
		header["Content-Length"] = []string{strconv.Itoa(len(encoded))}
	}
	_, _ = w.Write(encoded)
	if cap(encoded) <= maxPooledAnswer {
		*pooled = encoded
		answers.Put(pooled)
	}
}

// jsonType is shared between answers, like the gateway's constant headers.
var jsonType = []string{"application/json"}

// relativeTo spells fields as the caller of REST wrote them: the body is the field, so its name is not theirs.
func (f *Failure) relativeTo(body string) *Failure {
	if body == "" || body == "*" || len(f.Problem.Violations) == 0 {
		return f
	}
	copied := *f.Problem
	copied.Violations = append([]errs.Violation(nil), f.Problem.Violations...)
	for i := range copied.Violations {
		copied.Violations[i].Field = strings.TrimPrefix(copied.Violations[i].Field, jsonwire.Path(body)+".")
	}
	return &Failure{Problem: &copied, CorrelationID: f.CorrelationID}
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
	header["Content-Type"] = jsonType
	header.Set(CorrelationHeader, failure.CorrelationID)
	if seconds := failure.retryAfterSeconds(); seconds > 0 {
		header.Set("Retry-After", strconv.Itoa(seconds))
	}
	if challenge := failure.challenge(); challenge != "" {
		header.Set("WWW-Authenticate", challenge)
	}
	w.WriteHeader(httpStatus.code)
	_, _ = w.Write(append(body, '\n'))
}

// Fail builds a Failure for parts that answer HTTP without an RPC, such as the gateway.
func Fail(err error, correlationID string) *Failure { return failureOf(err, correlationID) }

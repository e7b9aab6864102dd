package rpc

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/braidhq/braid/platform/errs"
)

// writeTimeout bounds one write to a client of a stream: one that reads no more is let go.
const writeTimeout = 30 * time.Second

// HandleEvents serves a server-streaming RPC as server-sent events, which grpc-gateway in process can't. The response
// is a oneof: the field that is set names the event, its message is the data, and its "revision", where it has one,
// the id. A field named "heartbeat" becomes a comment, which clients skip.
func HandleEvents[Request, Response any](server *Server, method *Method, path string, stream func(context.Context, *Request, func(*Response) error) error) error {
	return server.rest.HandlePath(http.MethodGet, path, func(w http.ResponseWriter, r *http.Request, parameters map[string]string) {
		in := inboundFrom(r.Context())
		request := new(Request)
		if err := readStreamRequest(any(request).(proto.Message), r, parameters); err != nil {
			WriteError(w, failureOf(err, in.correlationID))
			return
		}
		events := &eventWriter{writer: w, controller: http.NewResponseController(w)}
		err := stream(r.Context(), request, func(response *Response) error {
			return events.send(any(response).(proto.Message).ProtoReflect())
		})
		defer events.release()
		switch {
		case err == nil:
			events.begin()
		case !events.begun:
			WriteError(w, failureOf(err, in.correlationID))
		default:
			events.end(failureOf(err, in.correlationID))
		}
	})
}

// readStreamRequest fills the request from the path, the query and the Last-Event-ID header.
func readStreamRequest(request proto.Message, r *http.Request, parameters map[string]string) error {
	message := request.ProtoReflect()
	values := r.URL.Query()
	if violations := explainQuery(message.Descriptor(), values); len(violations) > 0 {
		return invalid(violations...)
	}
	for name := range values {
		field := message.Descriptor().Fields().ByJSONName(name)
		if field == nil {
			field = message.Descriptor().Fields().ByTextName(name)
		}
		setText(message, field, values.Get(name))
	}
	if last := r.Header.Get("Last-Event-Id"); last != "" {
		setText(message, message.Descriptor().Fields().ByName("last_event_id"), last)
	}
	for name, value := range parameters {
		setText(message, message.Descriptor().Fields().ByName(protoreflect.Name(name)), value)
	}
	return nil
}

func setText(message protoreflect.Message, field protoreflect.FieldDescriptor, value string) {
	if field != nil && field.Kind() == protoreflect.StringKind && !field.IsList() {
		message.Set(field, protoreflect.ValueOfString(value))
	}
}

// eventWriter writes one stream. The header goes out with the first event, so that an error before it is a plain one.
type eventWriter struct {
	writer     http.ResponseWriter
	controller *http.ResponseController
	begun      bool
}

func (e *eventWriter) begin() {
	if e.begun {
		return
	}
	e.begun = true
	header := e.writer.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no")
	e.writer.WriteHeader(http.StatusOK)
}

func (e *eventWriter) send(response protoreflect.Message) error {
	e.begin()
	var text []byte
	response.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		text = formatEvent(field, value)
		return false
	})
	if text == nil {
		return errs.From(fmt.Errorf("stream event of %s is empty", response.Descriptor().FullName()))
	}
	return e.write(text)
}

func formatEvent(field protoreflect.FieldDescriptor, value protoreflect.Value) []byte {
	if field.Name() == "heartbeat" {
		return []byte(": heartbeat\n\n")
	}
	message := value.Message()
	data, err := marshalJSON(message.Interface())
	if err != nil {
		return nil
	}
	text := append([]byte("event: "), field.Name()...)
	if revision := message.Descriptor().Fields().ByName("revision"); revision != nil {
		text = append(text, "\nid: "...)
		text = append(text, message.Get(revision).String()...)
	}
	text = append(text, "\ndata: "...)
	return append(append(text, data...), '\n', '\n')
}

func (e *eventWriter) write(text []byte) error {
	// A writer without deadlines (a test's recorder) has nobody slow behind it.
	_ = e.controller.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := e.writer.Write(text); err != nil {
		return errs.New(errs.Canceled, "CANCELED", "The client went away.").WithCause(err)
	}
	if err := e.controller.Flush(); err != nil {
		return errs.New(errs.Canceled, "CANCELED", "The client went away.").WithCause(err)
	}
	return nil
}

// release lifts the deadline: the connection may serve other requests.
func (e *eventWriter) release() { _ = e.controller.SetWriteDeadline(time.Time{}) }

// end tells a client why its stream stops.
func (e *eventWriter) end(failure *Failure) {
	_ = e.write(fmt.Appendf(nil, "event: error\ndata: {\"status\":%q,\"reason\":%q}\n\n", failure.httpStatus().name, failure.Problem.Reason))
}

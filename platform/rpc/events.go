package rpc

import (
	"fmt"
	"net/http"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/braidhq/braid/platform/errs"
)

// writeTimeout bounds one write to a client of a stream: one that reads no more is let go.
const writeTimeout = 30 * time.Second

// decodeStream also takes the Last-Event-ID header, which browsers send when they come back.
func (r *restRequest) decodeStream(message protoreflect.Message) error {
	if err := r.decode(message); err != nil {
		return err
	}
	if err := checkSingle(r.Header, "Last-Event-Id"); err != nil {
		return err
	}
	if last := r.Header.Get("Last-Event-Id"); last != "" {
		if field := textField(message.Descriptor().Fields(), "last_event_id"); field != nil {
			message.Set(field, protoreflect.ValueOfString(last))
		}
	}
	return nil
}

// eventWriter writes one stream of server-sent events. The response is a oneof: the field that is set names the event,
// its message is the data, and its "revision", where it has one, the id. A field named "heartbeat" becomes a comment,
// which clients skip. The header goes out with the first event, so that an error before it is a plain one.
type eventWriter struct {
	writer     http.ResponseWriter
	controller *http.ResponseController
	begun      bool
}

func newEventWriter(w http.ResponseWriter) *eventWriter {
	return &eventWriter{writer: w, controller: http.NewResponseController(w)}
}

// finish answers with how the stream ended.
func (e *eventWriter) finish(r *restRequest, err error) {
	defer e.release()
	switch {
	case err == nil:
		e.begin()
	case !e.begun:
		r.fail(e.writer, err)
	default:
		e.end(failureOf(err, r.correlationID))
	}
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
	data, err := appendJSON(nil, message.Interface())
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

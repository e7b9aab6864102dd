package bus

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
)

// Event is a fact as it travels: a CloudEvents 1.0 event with Braid's extension attributes.
type Event struct {
	ID id.ID
	// Type is `<service>.<entity>.<action>`, in the past tense: "workflow.task.created".
	Type string
	// Source is the publisher, "/braid/<service>".
	Source string
	// Subject is what the fact is about: "tasks/<id>". It may be empty.
	Subject string
	// Time is when it happened, UTC, in microseconds.
	Time time.Time
	// Schema is the full name of the payload's protobuf message, which carries its version.
	Schema string
	// OrganizationID is zero for facts outside any organization.
	OrganizationID id.ID
	// Actor is who caused it. The token never travels.
	Actor         call.Actor
	CorrelationID string
	ClientAddress string
	// TraceParent and TraceState are the W3C trace context of the work that caused it.
	TraceParent string
	TraceState  string
	// Data is the payload, a serialized Schema message.
	Data []byte
	// Key decides the partition, and with it what the event is in order with.
	Key []byte
	// Extensions are the headers that this package has no field for, in their order.
	Extensions []Header

	// Topic, Partition and Offset say where it was read; they are not part of the event.
	Topic     string
	Partition int32
	Offset    int64
}

// Unmarshal decodes the payload into message, which must be of the event's schema.
func (e Event) Unmarshal(message proto.Message) error {
	if name := string(message.ProtoReflect().Descriptor().FullName()); name != e.Schema {
		return fmt.Errorf("%w: payload is a %q, not a %q", ErrMalformed, e.Schema, name)
	}
	if err := proto.Unmarshal(e.Data, message); err != nil {
		return fmt.Errorf("%w: decode %s: %w", ErrMalformed, e.Schema, err)
	}
	return nil
}

// Source returns the CloudEvents source of a service.
func Source(service string) string { return "/braid/" + service }

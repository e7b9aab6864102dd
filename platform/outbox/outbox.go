// Package outbox owns the way of an event from a transaction to its topic: Append writes it beside the change it tells
// of, and the Relay publishes what was committed, in order, and deletes what the broker acknowledged. Nothing here is
// skipped or lost; an event may be published twice. It must not publish anything outside a transaction.
package outbox

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/protobuf/proto"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the table of the outbox, for the database of every service that publishes.
func Migrations() pg.MigrationSet {
	return pg.MigrationSet{Name: "outbox", FS: migrations, Table: "outbox_migration"}
}

// MaxPayload bounds an event's payload in bytes. A record must fit what brokers take by default (1 MiB), headers included.
const MaxPayload = 512 << 10

// Event is a fact to be published.
type Event struct {
	// Message is the payload; the contract gives its type the CloudEvents type.
	Message proto.Message
	// Key is what the event is in order with: the organization, in identity the user. A zero key promises no order.
	Key id.ID
	// OrganizationID is zero for facts outside any organization.
	OrganizationID id.ID
	// Subject is what the fact is about: "tasks/<id>".
	Subject string
}

var insertEvent = pg.NewGrouped(
	"event_id uuid, key uuid, organization_id uuid, type text, schema text, subject text, occurred_at timestamptz, attributes json, payload bytea",
	`insert into outbox ({names}) select {names} from {calls}`)

// Append writes events to be published once tx has committed. Who did it, for whom and in which trace comes from ctx.
// It costs no round trip: the rows go out with the next statement or with COMMIT, and take their position in the order
// there. So the rows that the events tell of must have been locked or changed before; then the order of one entity's
// events is the order of its changes.
func Append(ctx context.Context, tx *pg.Tx, clock clock.Clock, events ...Event) error {
	if len(events) == 0 {
		return nil
	}
	now := clock.Now()
	carried := attributesOf(ctx)
	for _, event := range events {
		row, err := encode(event, now, carried)
		if err != nil {
			return fmt.Errorf("append event %s: %w", event.Subject, err)
		}
		tx.QueueGrouped(insertEvent, row.eventID, row.key, row.organizationID, row.eventType, row.schema, row.subject,
			row.occurredAt, string(row.attributes), row.payload)
	}
	database := tx.DB()
	tx.AfterCommit(func() { wake(database) })
	return nil
}

// attributes is what an event carries besides its own fact, as it is kept in the row. Identifiers are text in it, which
// is what JSON makes of them anyway, at several times the cost.
type attributes struct {
	ActorKind     call.ActorKind `json:"actorKind"`
	UserID        string         `json:"userId,omitempty"`
	SessionID     string         `json:"sessionId,omitempty"`
	CredentialID  string         `json:"credentialId,omitempty"`
	Impersonator  string         `json:"impersonatorId,omitempty"`
	Service       string         `json:"service,omitempty"`
	ClientAddress string         `json:"clientAddress,omitempty"`
	CorrelationID string         `json:"correlationId,omitempty"`
	TraceParent   string         `json:"traceParent,omitempty"`
	TraceState    string         `json:"traceState,omitempty"`
}

func attributesOf(ctx context.Context) attributes {
	current := call.From(ctx)
	carried := attributes{
		ActorKind: current.Actor.Kind, UserID: current.Actor.UserID.String(), SessionID: current.Actor.SessionID.String(),
		CredentialID: current.Actor.CredentialID.String(), Impersonator: current.Actor.ImpersonatorID.String(), Service: current.Actor.Service, CorrelationID: current.CorrelationID,
	}
	if carried.ActorKind == "" {
		carried.ActorKind = call.Anonymous
	}
	if current.ClientAddress.IsValid() {
		carried.ClientAddress = current.ClientAddress.String()
	}
	trace := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, trace)
	carried.TraceParent, carried.TraceState = trace["traceparent"], trace["tracestate"]
	return carried
}

// row is a row of the table.
type row struct {
	position       int64
	eventID        id.ID
	key            *id.ID
	organizationID *id.ID
	eventType      string
	schema         string
	subject        string
	occurredAt     time.Time
	attributes     []byte
	payload        []byte
}

// encode makes the row, and makes sure that the relay will be able to publish it: a row that it could not would hold up
// all events behind it.
func encode(event Event, now time.Time, carried attributes) (row, error) {
	payload, err := proto.Marshal(event.Message)
	if err != nil {
		return row{}, fmt.Errorf("encode payload: %w", err)
	}
	if len(payload) > MaxPayload {
		return row{}, fmt.Errorf("a payload of %d bytes is more than the %d that fit a record", len(payload), MaxPayload)
	}
	encoded, err := json.Marshal(carried)
	if err != nil {
		return row{}, fmt.Errorf("encode attributes: %w", err)
	}
	made := row{
		eventID: id.New(), eventType: bus.TypeOf(event.Message),
		schema:  string(event.Message.ProtoReflect().Descriptor().FullName()),
		subject: event.Subject, occurredAt: now, attributes: encoded, payload: payload,
	}
	if !event.Key.IsZero() {
		made.key = &event.Key
	}
	if !event.OrganizationID.IsZero() {
		made.organizationID = &event.OrganizationID
	}
	if made.eventType == "" {
		return row{}, fmt.Errorf("the contract gives %s no event type", made.schema)
	}
	published, err := made.event(carried, "/check")
	if err == nil {
		err = published.Check()
	}
	return made, err
}

// carried returns the row's attributes.
func (r row) carried() (carried attributes, err error) {
	if err := json.Unmarshal(r.attributes, &carried); err != nil {
		return attributes{}, fmt.Errorf("decode attributes: %w", err)
	}
	return carried, nil
}

// event returns the row as its readers will see it.
func (r row) event(carried attributes, source string) (bus.Event, error) {
	event := bus.Event{
		ID: r.eventID, Type: r.eventType, Source: source, Subject: r.subject, Time: r.occurredAt.UTC(), Schema: r.schema,
		Actor:         call.Actor{Kind: carried.ActorKind, Service: carried.Service},
		CorrelationID: carried.CorrelationID, ClientAddress: carried.ClientAddress,
		TraceParent: carried.TraceParent, TraceState: carried.TraceState, Data: r.payload,
	}
	if r.key != nil {
		event.Key = []byte(r.key.String())
	}
	if r.organizationID != nil {
		event.OrganizationID = *r.organizationID
	}
	err := errors.Join(event.Actor.UserID.UnmarshalText([]byte(carried.UserID)), event.Actor.SessionID.UnmarshalText([]byte(carried.SessionID)),
		event.Actor.CredentialID.UnmarshalText([]byte(carried.CredentialID)),
		event.Actor.ImpersonatorID.UnmarshalText([]byte(carried.Impersonator)))
	if err != nil {
		return bus.Event{}, fmt.Errorf("decode attributes: %w", err)
	}
	return event, nil
}

// record returns the row as it goes on the wire.
func (r row) record(carried attributes, topic, source string) (bus.Record, error) {
	event, err := r.event(carried, source)
	if err != nil {
		return bus.Record{}, err
	}
	return bus.Encode(topic, event)
}

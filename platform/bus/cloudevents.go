package bus

import (
	"fmt"
	"math/bits"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
)

// The headers of CloudEvents 1.0, Kafka protocol binding, binary content mode (sections 3.2 and 3.2.3), and Braid's
// extension attributes, whose names the specification wants lower-case and without separators.
const (
	headerContentType    = "content-type"
	headerSpecVersion    = "ce_specversion"
	headerID             = "ce_id"
	headerSource         = "ce_source"
	headerType           = "ce_type"
	headerSubject        = "ce_subject"
	headerTime           = "ce_time"
	headerDataSchema     = "ce_dataschema"
	headerOrganizationID = "ce_organizationid"
	headerActorKind      = "ce_actorkind"
	headerActorID        = "ce_actorid"
	headerActorService   = "ce_actorservice"
	headerSessionID      = "ce_sessionid"
	headerCredentialID   = "ce_credentialid"
	headerImpersonatorID = "ce_impersonatorid"
	headerClientAddress  = "ce_clientaddress"
	headerCorrelationID  = "ce_correlationid"
	headerTraceParent    = "ce_traceparent"
	headerTraceState     = "ce_tracestate"

	specVersion = "1.0"
	contentType = "application/protobuf"
	// schemaScheme makes an absolute URI, which dataschema must be, of a protobuf message name.
	schemaScheme = "proto:"

	// maxHeaderValue bounds what is read into an event's fields; nothing Braid writes comes near it.
	maxHeaderValue = 8 << 10
)

// Encode returns the event as a record for topic. It refuses an event that Decode would not take back.
func Encode(topic string, event Event) (Record, error) {
	if err := event.Check(); err != nil {
		return Record{}, err
	}
	record := Record{Topic: topic, Partition: AnyPartition, Key: event.Key, Value: event.Data}
	record.Headers = make([]Header, 0, 19+len(event.Extensions))
	add := func(key, value string) {
		if value != "" {
			record.Headers = append(record.Headers, Header{Key: key, Value: []byte(value)})
		}
	}
	add(headerContentType, contentType)
	add(headerSpecVersion, specVersion)
	add(headerID, event.ID.String())
	add(headerSource, event.Source)
	add(headerType, event.Type)
	add(headerSubject, event.Subject)
	add(headerTime, event.Time.UTC().Format(time.RFC3339Nano))
	add(headerDataSchema, schemaScheme+event.Schema)
	add(headerOrganizationID, event.OrganizationID.String())
	add(headerActorKind, string(event.Actor.Kind))
	add(headerActorID, event.Actor.UserID.String())
	add(headerActorService, event.Actor.Service)
	add(headerSessionID, event.Actor.SessionID.String())
	add(headerCredentialID, event.Actor.CredentialID.String())
	add(headerImpersonatorID, event.Actor.ImpersonatorID.String())
	add(headerClientAddress, event.ClientAddress)
	add(headerCorrelationID, event.CorrelationID)
	add(headerTraceParent, event.TraceParent)
	add(headerTraceState, event.TraceState)
	record.Headers = append(record.Headers, event.Extensions...)
	return record, nil
}

// Decode reads a record strictly: a required attribute that is missing or bad, an attribute given twice, another
// content type or version, or text that is not UTF-8 give ErrMalformed. Headers it does not know are kept as they are.
func Decode(record Record) (Event, error) {
	event := Event{
		Data: record.Value, Key: record.Key, Topic: record.Topic, Partition: record.Partition, Offset: record.Offset,
	}
	var seen attribute
	for _, header := range record.Headers {
		name := attributeOf(header.Key)
		if name == 0 {
			event.Extensions = append(event.Extensions, header)
			continue
		}
		if seen&name != 0 {
			return Event{}, fmt.Errorf("%w: header %s appears twice", ErrMalformed, header.Key)
		}
		seen |= name
		if err := event.set(name, header.Value); err != nil {
			return Event{}, fmt.Errorf("%w: header %s: %w", ErrMalformed, header.Key, err)
		}
	}
	if missing := requiredAttributes &^ seen; missing != 0 {
		return Event{}, fmt.Errorf("%w: no header %s", ErrMalformed, missing.first())
	}
	if err := event.Check(); err != nil {
		return Event{}, err
	}
	return event, nil
}

// attribute is a set of headers that have a field of their own: one bit each, so that reading allocates nothing.
type attribute uint32

var attributeNames = [...]string{
	headerContentType, headerSpecVersion, headerID, headerSource, headerType, headerTime, headerDataSchema, headerActorKind,
	headerSubject, headerOrganizationID, headerActorID, headerActorService, headerSessionID, headerClientAddress,
	headerCorrelationID, headerTraceParent, headerTraceState, headerCredentialID,
	headerImpersonatorID,
}

// requiredAttributes are the first eight of attributeNames.
const requiredAttributes attribute = 1<<8 - 1

var attributeBits = func() map[string]attribute {
	bits := make(map[string]attribute, len(attributeNames))
	for position, name := range attributeNames {
		bits[name] = 1 << position
	}
	return bits
}()

// attributeOf returns the bit of a header, 0 for one without a field.
func attributeOf(header string) attribute { return attributeBits[header] }

func (a attribute) first() string { return attributeNames[bits.TrailingZeros32(uint32(a))] }

// set takes one header into its field; Check looks at the text itself.
func (e *Event) set(name attribute, value []byte) error {
	if len(value) == 0 || len(value) > maxHeaderValue {
		return fmt.Errorf("length %d", len(value))
	}
	text := string(value)
	var err error
	switch name.first() {
	case headerContentType:
		return expect(text, contentType)
	case headerSpecVersion:
		return expect(text, specVersion)
	case headerID:
		e.ID, err = id.Parse(text)
	case headerOrganizationID:
		e.OrganizationID, err = id.Parse(text)
	case headerActorID:
		e.Actor.UserID, err = id.Parse(text)
	case headerSessionID:
		e.Actor.SessionID, err = id.Parse(text)
	case headerCredentialID:
		e.Actor.CredentialID, err = id.Parse(text)
	case headerImpersonatorID:
		e.Actor.ImpersonatorID, err = id.Parse(text)
	case headerTime:
		e.Time, err = time.Parse(time.RFC3339Nano, text)
		e.Time = e.Time.UTC()
	case headerActorKind:
		e.Actor.Kind = call.ActorKind(text)
	case headerDataSchema:
		schema, ok := strings.CutPrefix(text, schemaScheme)
		if !ok {
			return fmt.Errorf("not a %s schema", schemaScheme)
		}
		e.Schema = schema
	case headerSource:
		e.Source = text
	case headerType:
		e.Type = text
	case headerSubject:
		e.Subject = text
	case headerActorService:
		e.Actor.Service = text
	case headerClientAddress:
		e.ClientAddress = text
	case headerCorrelationID:
		e.CorrelationID = text
	case headerTraceParent:
		e.TraceParent = text
	case headerTraceState:
		e.TraceState = text
	}
	return err
}

func expect(got, want string) error {
	if got != want {
		return fmt.Errorf("%q instead of %q", got, want)
	}
	return nil
}

// Check refuses an event that Encode would refuse, and Decode would not take back: the rules that the two directions share.
func (e *Event) Check() error {
	switch {
	case e.ID.IsZero():
		return fmt.Errorf("%w: no id", ErrMalformed)
	case e.Type == "" || e.Source == "" || e.Schema == "":
		return fmt.Errorf("%w: no type, source or schema", ErrMalformed)
	case e.Time.IsZero() || e.Time.Year() < 1970 || e.Time.Year() > 9999:
		return fmt.Errorf("%w: time out of range", ErrMalformed)
	}
	switch e.Actor.Kind {
	case call.Anonymous, call.User, call.ServiceAccount, call.Service, call.System:
	default:
		return fmt.Errorf("%w: unknown actor kind", ErrMalformed)
	}
	if e.ClientAddress != "" {
		if _, err := netip.ParseAddr(e.ClientAddress); err != nil {
			return fmt.Errorf("%w: client address: %w", ErrMalformed, err)
		}
	}
	for _, text := range [...]string{
		e.Source, e.Type, e.Subject, e.Actor.Service, e.ClientAddress, e.CorrelationID, e.TraceParent, e.TraceState,
	} {
		if len(text) > maxHeaderValue || !utf8.ValidString(text) {
			return fmt.Errorf("%w: attribute too long or not UTF-8", ErrMalformed)
		}
	}
	for _, header := range e.Extensions {
		if attributeOf(header.Key) != 0 {
			return fmt.Errorf("%w: header %s belongs to a field", ErrMalformed, header.Key)
		}
	}
	if len(e.Schema) > maxHeaderValue-len(schemaScheme) || !utf8.ValidString(e.Schema) {
		return fmt.Errorf("%w: schema too long or not UTF-8", ErrMalformed)
	}
	return nil
}

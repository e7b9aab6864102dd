package bus_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"pgregory.net/rapid"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
)

func goldenEvent() bus.Event {
	organization := id.MustParse("01920000-0000-7000-8000-000000000001")
	return bus.Event{
		ID:   id.MustParse("01920000-0000-7000-8000-00000000000a"),
		Type: "workflow.task.created", Source: bus.Source("workflow"), Subject: "tasks/7",
		Time:   time.Date(2026, 3, 4, 5, 6, 7, 890123000, time.UTC),
		Schema: "braid.workflow.v1.TaskCreated", OrganizationID: organization,
		Actor: call.Actor{
			Kind: call.User, UserID: id.MustParse("01920000-0000-7000-8000-000000000002"),
			SessionID: id.MustParse("01920000-0000-7000-8000-000000000003"), Service: "gateway", Token: "canary",
		},
		CorrelationID: "c-1", ClientAddress: "2001:db8::1",
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", TraceState: "a=b",
		Data: []byte("payload"), Key: []byte(organization.String()),
		Extensions: []bus.Header{{Key: "other", Value: []byte("x")}},
	}
}

// The wire format is read by programs that are not ours and by records of last week: this list changes only by
// additions.
func TestEncodeIsTheBinaryContentMode(t *testing.T) {
	t.Parallel()
	record, err := bus.Encode("workflow.events", goldenEvent())
	require.NoError(t, err)
	want := [][2]string{
		{"content-type", "application/protobuf"},
		{"ce_specversion", "1.0"},
		{"ce_id", "01920000-0000-7000-8000-00000000000a"},
		{"ce_source", "/braid/workflow"},
		{"ce_type", "workflow.task.created"},
		{"ce_subject", "tasks/7"},
		{"ce_time", "2026-03-04T05:06:07.890123Z"},
		{"ce_dataschema", "proto:braid.workflow.v1.TaskCreated"},
		{"ce_organizationid", "01920000-0000-7000-8000-000000000001"},
		{"ce_actorkind", "user"},
		{"ce_actorid", "01920000-0000-7000-8000-000000000002"},
		{"ce_actorservice", "gateway"},
		{"ce_sessionid", "01920000-0000-7000-8000-000000000003"},
		{"ce_clientaddress", "2001:db8::1"},
		{"ce_correlationid", "c-1"},
		{"ce_traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		{"ce_tracestate", "a=b"},
		{"other", "x"},
	}
	var got [][2]string
	for _, header := range record.Headers {
		got = append(got, [2]string{header.Key, string(header.Value)})
	}
	require.Equal(t, want, got)
	require.Equal(t, "payload", string(record.Value))
	require.Equal(t, "01920000-0000-7000-8000-000000000001", string(record.Key))
	require.Equal(t, bus.AnyPartition, record.Partition)
	require.Equal(t, "workflow.events", record.Topic)
}

// change returns the golden record with one header replaced, or removed when value is nil.
func change(t *testing.T, key string, value []byte) bus.Record {
	t.Helper()
	record, err := bus.Encode("workflow.events", goldenEvent())
	require.NoError(t, err)
	var headers []bus.Header
	for _, header := range record.Headers {
		if header.Key == key {
			if value == nil {
				continue
			}
			header.Value = value
		}
		headers = append(headers, header)
	}
	record.Headers = headers
	return record
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	twice := change(t, "none", nil)
	twice.Headers = append(twice.Headers, bus.Header{Key: "ce_id", Value: []byte(id.New().String())})
	cases := map[string]bus.Record{
		"nothing":                  {},
		"no content type":          change(t, "content-type", nil),
		"another content type":     change(t, "content-type", []byte("application/json")),
		"another version":          change(t, "ce_specversion", []byte("0.3")),
		"no id":                    change(t, "ce_id", nil),
		"an id that is no UUID":    change(t, "ce_id", []byte("7")),
		"the zero id":              change(t, "ce_id", []byte("00000000-0000-0000-0000-000000000000")),
		"no source":                change(t, "ce_source", nil),
		"no type":                  change(t, "ce_type", nil),
		"an empty type":            change(t, "ce_type", []byte{}),
		"no time":                  change(t, "ce_time", nil),
		"a bad time":               change(t, "ce_time", []byte("yesterday")),
		"a time before computers":  change(t, "ce_time", []byte("1815-12-10T00:00:00Z")),
		"no schema":                change(t, "ce_dataschema", nil),
		"a schema that is no ours": change(t, "ce_dataschema", []byte("https://example.com/x")),
		"an unknown actor kind":    change(t, "ce_actorkind", []byte("robot")),
		"a bad organization":       change(t, "ce_organizationid", []byte("acme")),
		"a bad address":            change(t, "ce_clientaddress", []byte("here")),
		"text that is no UTF-8":    change(t, "ce_subject", []byte{0xff}),
		"an endless value":         change(t, "ce_correlationid", []byte(strings.Repeat("x", 9000))),
		"an attribute twice":       twice,
	}
	for name, record := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := bus.Decode(record)
			require.ErrorIs(t, err, bus.ErrMalformed)
		})
	}
	_, err := bus.Decode(change(t, "none", nil))
	require.NoError(t, err, "the record that all of these were made of is good")
}

func TestEncodeRefusesWhatDecodeWouldNotTake(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*bus.Event){
		"no id":             func(e *bus.Event) { e.ID = id.ID{} },
		"no actor kind":     func(e *bus.Event) { e.Actor.Kind = "" },
		"bad UTF-8":         func(e *bus.Event) { e.CorrelationID = "\xff" },
		"a field's header":  func(e *bus.Event) { e.Extensions = []bus.Header{{Key: "ce_id"}} },
		"an endless schema": func(e *bus.Event) { e.Schema = strings.Repeat("x", 9000) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			event := goldenEvent()
			spoil(&event)
			_, err := bus.Encode("workflow.events", event)
			require.ErrorIs(t, err, bus.ErrMalformed)
		})
	}
}

func genID() *rapid.Generator[id.ID] {
	return rapid.Custom(func(t *rapid.T) id.ID {
		var drawn id.ID
		copy(drawn[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes"))
		return drawn
	})
}

func genEvent() *rapid.Generator[bus.Event] {
	return rapid.Custom(func(t *rapid.T) bus.Event {
		optional := func(name string) string { return rapid.StringN(0, 50, 100).Draw(t, name) }
		required := func(name string) string { return rapid.StringN(1, 50, 100).Draw(t, name) }
		event := bus.Event{
			ID: genID().Filter(func(i id.ID) bool { return !i.IsZero() }).Draw(t, "id"), Type: required("type"),
			Source: required("source"), Schema: required("schema"), Subject: optional("subject"),
			Time:           time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(t, "time")).UTC(),
			OrganizationID: genID().Draw(t, "organization"),
			Actor: call.Actor{
				Kind:   rapid.SampledFrom([]call.ActorKind{call.Anonymous, call.User, call.Service, call.System}).Draw(t, "kind"),
				UserID: genID().Draw(t, "user"), SessionID: genID().Draw(t, "session"), Service: optional("service"),
			},
			CorrelationID: optional("correlation"), TraceParent: optional("parent"), TraceState: optional("state"),
			ClientAddress: rapid.SampledFrom([]string{"", "192.0.2.1", "::1", "2001:db8::7"}).Draw(t, "address"),
			Data:          rapid.SliceOf(rapid.Byte()).Draw(t, "data"), Key: rapid.SliceOf(rapid.Byte()).Draw(t, "key"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "extensions") {
			event.Extensions = append(event.Extensions, bus.Header{
				Key: "x-" + optional("key"), Value: rapid.SliceOf(rapid.Byte()).Draw(t, "value"),
			})
		}
		return event
	})
}

func TestEventsSurviveTheWire(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		event := genEvent().Draw(t, "event")
		record, err := bus.Encode("topic", event)
		require.NoError(t, err)
		got, err := bus.Decode(record)
		require.NoError(t, err)
		event.Topic, event.Partition = "topic", bus.AnyPartition
		require.Empty(t, cmp.Diff(event, got, cmpopts.EquateEmpty()))
	})
}

// Whatever is in a record, Decode says malformed or returns an event that goes back on the wire unchanged.
func FuzzDecode(f *testing.F) {
	f.Add("ce_id", []byte("01920000-0000-7000-8000-00000000000a"), "ce_time", []byte("2026-01-01T00:00:00+02:00"), []byte("data"))
	f.Add("ce_actorkind", []byte("user"), "unknown", []byte{0xff}, []byte{})
	f.Fuzz(func(t *testing.T, key1 string, value1 []byte, key2 string, value2 []byte, data []byte) {
		record, err := bus.Encode("topic", goldenEvent())
		if err != nil {
			t.Fatal(err)
		}
		kept := record.Headers[:0]
		for _, header := range record.Headers {
			if header.Key != key1 && header.Key != key2 {
				kept = append(kept, header)
			}
		}
		record.Headers = append(kept, bus.Header{Key: key1, Value: value1}, bus.Header{Key: key2, Value: value2})
		record.Value = data
		event, err := bus.Decode(record)
		if err != nil {
			require.ErrorIs(t, err, bus.ErrMalformed)
			return
		}
		require.True(t, utf8.ValidString(event.Type+event.Source+event.Subject+event.CorrelationID))
		again, err := bus.Encode("topic", event)
		require.NoError(t, err)
		same, err := bus.Decode(again)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(event, same, cmpopts.EquateEmpty()))
	})
}

func TestUnmarshalChecksTheSchema(t *testing.T) {
	t.Parallel()
	event := bus.Event{Schema: "google.protobuf.StringValue", Data: []byte{0x0a, 0x01, 'x'}}
	var value wrapperspb.StringValue
	require.NoError(t, event.Unmarshal(&value))
	require.Equal(t, "x", value.GetValue())
	require.ErrorIs(t, event.Unmarshal(&emptypb.Empty{}), bus.ErrMalformed)
	event.Data = []byte{0x0a, 0x7f}
	require.ErrorIs(t, event.Unmarshal(&value), bus.ErrMalformed)
}

func TestTypeOfAMessageWithoutOne(t *testing.T) {
	t.Parallel()
	require.Empty(t, bus.TypeOf(&emptypb.Empty{}))
}

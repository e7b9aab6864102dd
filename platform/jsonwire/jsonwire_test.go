package jsonwire_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"pgregory.net/rapid"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/jsonwire"
	_ "github.com/braidhq/braid/platform/rpc"
	_ "github.com/braidhq/braid/testkit/kinds"
)

// TestGeneratedEncodersAgreeWithProtojson fills every message of the contract, and others that have every kind of field,
// with anything and compares.
func TestGeneratedEncodersAgreeWithProtojson(t *testing.T) {
	t.Parallel()
	kinds := contractMessages()
	require.Greater(t, len(kinds), 50)
	for _, kind := range kinds {
		t.Run(string(kind.Descriptor().FullName()), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				message := kind.New()
				fill(t, message, 3)
				expected, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(message.Interface())
				require.NoError(t, err)
				var compact bytes.Buffer
				require.NoError(t, json.Compact(&compact, expected))
				appender, ok := message.Interface().(jsonwire.Appender)
				require.True(t, ok, "it has no encoder")
				var got bytes.Buffer
				require.NoError(t, json.Compact(&got, appender.AppendJSON(nil)), "the encoder must write JSON")
				require.Equal(t, compact.String(), got.String())
			})
		})
	}
}

func contractMessages() []protoreflect.MessageType {
	var kinds []protoreflect.MessageType
	protoregistry.GlobalTypes.RangeMessages(func(kind protoreflect.MessageType) bool {
		name := string(kind.Descriptor().FullName())
		if strings.HasPrefix(name, "braid.") && !strings.HasPrefix(name, "braid.options.") {
			kinds = append(kinds, kind)
		}
		return true
	})
	return kinds
}

// fill sets about two of three fields; a message in a message once depth allows.
func fill(t *rapid.T, message protoreflect.Message, depth int) {
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		inner := field.Message()
		if field.IsMap() {
			inner = field.MapValue().Message()
		}
		if rapid.IntRange(0, 2).Draw(t, "set") == 0 || inner != nil && depth == 0 {
			continue
		}
		switch {
		case field.IsList():
			list := message.Mutable(field).List()
			for range rapid.IntRange(0, 3).Draw(t, "items") {
				list.Append(anything(t, field, list.NewElement, depth-1))
			}
		case field.IsMap():
			entries := message.Mutable(field).Map()
			for range rapid.IntRange(0, 3).Draw(t, "entries") {
				key := anything(t, field.MapKey(), nil, 0).MapKey()
				entries.Set(key, anything(t, field.MapValue(), entries.NewValue, depth-1))
			}
		default:
			message.Set(field, anything(t, field, func() protoreflect.Value { return message.NewField(field) }, depth-1))
		}
	}
}

// anything returns a value for a field; made returns a message that one starts from.
func anything(t *rapid.T, field protoreflect.FieldDescriptor, made func() protoreflect.Value, depth int) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(rapid.String().Draw(t, "text"))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, "bool"))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(rapid.Int32().Draw(t, "int32"))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(rapid.Int64().Draw(t, "int64"))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(rapid.Uint32().Draw(t, "uint32"))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(rapid.Uint64().Draw(t, "uint64"))
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(math.Float32frombits(rapid.Uint32().Draw(t, "float")))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(rapid.OneOf(rapid.Float64(), rapid.Just(math.NaN()), rapid.Just(math.Inf(1)),
			rapid.Just(math.Inf(-1)), rapid.Just(1e21), rapid.Just(1e-7), rapid.Just(math.Copysign(0, -1))).Draw(t, "double"))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(rapid.Int32Range(0, 9).Draw(t, "enum")))
	}
	value := made()
	switch message := value.Message(); {
	case field.Message().FullName() == "google.protobuf.Timestamp":
		message.Set(message.Descriptor().Fields().ByName("seconds"), protoreflect.ValueOfInt64(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "seconds")))
		message.Set(message.Descriptor().Fields().ByName("nanos"), protoreflect.ValueOfInt32(rapid.SampledFrom([]int32{0, 5, 1_000, 2_000_000, 999_999_999}).Draw(t, "nanos")))
	case field.Message().ParentFile().Package() != "google.protobuf":
		fill(t, message, depth)
	}
	return value
}

func TestAppendStringMendsWhatIsNoUTF8(t *testing.T) {
	t.Parallel()
	var decoded string
	require.NoError(t, json.Unmarshal(jsonwire.AppendString(nil, "a\xffb\x00\"\\\u2028"), &decoded))
	require.Equal(t, "a\uFFFDb\x00\"\\\u2028", decoded)
}

func BenchmarkTask(b *testing.B) {
	task := &workflowv1.Task{Id: "0190c0de-0000-7000-8000-000000000001", Title: "Write the welcome page", Status: "todo", Number: 12, Key: "WEB-12"}
	b.Run("generated", func(b *testing.B) {
		buffer := make([]byte, 0, 1024)
		for b.Loop() {
			buffer = task.AppendJSON(buffer[:0])
		}
	})
	b.Run("protojson", func(b *testing.B) {
		options := protojson.MarshalOptions{EmitDefaultValues: true}
		for b.Loop() {
			if _, err := options.Marshal(proto.Message(task)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

package jsonwire_test

import (
	"bytes"
	"encoding/json"
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
)

// TestGeneratedEncodersAgreeWithProtojson fills every message of the contract with anything and compares.
func TestGeneratedEncodersAgreeWithProtojson(t *testing.T) {
	t.Parallel()
	kinds := contractMessages()
	require.Greater(t, len(kinds), 50)
	for _, kind := range kinds {
		_, ok := kind.New().Interface().(jsonwire.Appender)
		require.True(t, ok, "%s has no encoder", kind.Descriptor().FullName())
	}
	rapid.Check(t, func(t *rapid.T) {
		message := kinds[rapid.IntRange(0, len(kinds)-1).Draw(t, "kind")].New()
		fill(t, message, 3)
		expected, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(message.Interface())
		if err != nil {
			t.Skip("protojson takes only times it can spell")
		}
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, expected))
		appender, ok := message.Interface().(jsonwire.Appender)
		require.True(t, ok)
		var got bytes.Buffer
		require.NoError(t, json.Compact(&got, appender.AppendJSON(nil)), "the encoder must write JSON")
		require.Equal(t, compact.String(), got.String())
	})
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

func fill(t *rapid.T, message protoreflect.Message, depth int) {
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if rapid.IntRange(0, 2).Draw(t, "set") == 0 {
			continue
		}
		switch {
		case field.IsList():
			list := message.Mutable(field).List()
			for range rapid.IntRange(0, 3).Draw(t, "items") {
				if field.Message() == nil {
					list.Append(scalar(t, field))
				} else if depth > 0 {
					fill(t, list.AppendMutable().Message(), depth-1)
				}
			}
		case field.IsMap():
		case field.Message() == nil:
			message.Set(field, scalar(t, field))
		case field.Message().FullName() == "google.protobuf.Timestamp":
			stamp := message.Mutable(field).Message()
			stamp.Set(stamp.Descriptor().Fields().ByName("seconds"), protoreflect.ValueOfInt64(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "seconds")))
			stamp.Set(stamp.Descriptor().Fields().ByName("nanos"), protoreflect.ValueOfInt32(rapid.SampledFrom([]int32{0, 5, 1_000, 2_000_000, 999_999_999}).Draw(t, "nanos")))
		case depth > 0 && field.Message().ParentFile().Package() != "google.protobuf":
			fill(t, message.Mutable(field).Message(), depth-1)
		}
	}
}

func scalar(t *rapid.T, field protoreflect.FieldDescriptor) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(rapid.String().Draw(t, "text"))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, "bool"))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(rapid.Int32().Draw(t, "int32"))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(rapid.Int64().Draw(t, "int64"))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(rapid.Int32Range(0, 9).Draw(t, "enum")))
	default:
		t.Fatalf("kind %s is not covered", field.Kind())
		return protoreflect.Value{}
	}
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

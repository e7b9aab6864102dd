package rpc

import (
	"fmt"
	"io"
	"reflect"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/braidhq/braid/platform/errs"

	"github.com/braidhq/braid/platform/jsonwire"
)

// One JSON for REST and Connect: fields without a value are written, so that a client sees the whole shape; unknown
// fields are refused.
var (
	encodeJSON = protojson.MarshalOptions{EmitDefaultValues: true}
	decodeJSON = protojson.UnmarshalOptions{}
)

// marshalJSON writes a message with its generated encoder, or by reflection when it is none of the contract's.
func marshalJSON(message proto.Message) ([]byte, error) {
	if generated, ok := message.(jsonwire.Appender); ok {
		return generated.AppendJSON(make([]byte, 0, 1024)), nil
	}
	return encodeJSON.Marshal(message)
}

// strictCodec is Connect's JSON, as strict as REST's: Connect's own would drop unknown fields.
type strictCodec struct{ name string }

// Name implements connect.Codec.
func (c strictCodec) Name() string { return c.name }

// Marshal implements connect.Codec.
func (c strictCodec) Marshal(message any) ([]byte, error) {
	known, ok := message.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is no message", message)
	}
	return marshalJSON(known)
}

// Unmarshal implements connect.Codec.
func (c strictCodec) Unmarshal(data []byte, message any) error {
	known, ok := message.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is no message", message)
	}
	if err := decodeJSON.Unmarshal(data, known); err != nil {
		violations := explainJSON(known.ProtoReflect().Descriptor(), data)
		if len(violations) == 0 {
			violations = []errs.Violation{malformed}
		}
		return reject(known, violations)
	}
	return nil
}

// restMarshaler is grpc-gateway's view of the same JSON.
type restMarshaler struct{}

// ContentType implements runtime.Marshaler.
func (restMarshaler) ContentType(any) string { return "application/json" }

// Marshal implements runtime.Marshaler.
func (restMarshaler) Marshal(value any) ([]byte, error) {
	known, ok := value.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is no message", value)
	}
	return marshalJSON(known)
}

// Unmarshal implements runtime.Marshaler. The value is a message, or a pointer to a field that holds one.
func (restMarshaler) Unmarshal(data []byte, value any) error {
	if known, ok := value.(proto.Message); ok {
		return decodeJSON.Unmarshal(data, known)
	}
	field := reflect.ValueOf(value)
	if field.Kind() != reflect.Pointer || field.Elem().Kind() != reflect.Pointer {
		return fmt.Errorf("%T is no message", value)
	}
	if field.Elem().IsNil() {
		field.Elem().Set(reflect.New(field.Type().Elem().Elem()))
	}
	known, ok := field.Elem().Interface().(proto.Message)
	if !ok {
		return fmt.Errorf("%T is no message", value)
	}
	return decodeJSON.Unmarshal(data, known)
}

// NewDecoder implements runtime.Marshaler.
func (m restMarshaler) NewDecoder(reader io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(value any) error {
		data, err := io.ReadAll(reader)
		if err != nil {
			return err
		}
		if len(data) == 0 {
			return io.EOF
		}
		return m.Unmarshal(data, value)
	})
}

// NewEncoder implements runtime.Marshaler.
func (m restMarshaler) NewEncoder(writer io.Writer) runtime.Encoder {
	return runtime.EncoderFunc(func(value any) error {
		data, err := m.Marshal(value)
		if err != nil {
			return err
		}
		_, err = writer.Write(data)
		return err
	})
}

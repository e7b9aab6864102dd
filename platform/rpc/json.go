package rpc

import (
	"fmt"

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

// appendJSON writes a message with its generated encoder, or by reflection when it is none of the contract's.
func appendJSON(buffer []byte, message proto.Message) ([]byte, error) {
	if generated, ok := message.(jsonwire.Appender); ok {
		return generated.AppendJSON(buffer), nil
	}
	return encodeJSON.MarshalAppend(buffer, message)
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
	return appendJSON(make([]byte, 0, 1024), known)
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

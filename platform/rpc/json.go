package rpc

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

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
type strictCodec struct{}

// Name implements connect.Codec.
func (strictCodec) Name() string { return "json" }

// Marshal implements connect.Codec.
func (strictCodec) Marshal(message any) ([]byte, error) {
	known, ok := message.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is no message", message)
	}
	return appendJSON(make([]byte, 0, 1024), known)
}

// Unmarshal implements connect.Codec.
func (strictCodec) Unmarshal(data []byte, message any) error {
	return decodeWith(data, message, decodeJSON.Unmarshal, explainJSON)
}

// binaryCodec is Connect's and gRPC's own encoding, with verdicts like those of JSON.
type binaryCodec struct{}

// Name implements connect.Codec.
func (binaryCodec) Name() string { return "proto" }

// Marshal implements connect.Codec.
func (c binaryCodec) Marshal(message any) ([]byte, error) { return c.MarshalAppend(nil, message) }

// MarshalAppend spares Connect a copy.
func (binaryCodec) MarshalAppend(buffer []byte, message any) ([]byte, error) {
	known, ok := message.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is no message", message)
	}
	return proto.MarshalOptions{}.MarshalAppend(buffer, known)
}

// Unmarshal implements connect.Codec.
func (binaryCodec) Unmarshal(data []byte, message any) error {
	return decodeWith(data, message, proto.Unmarshal, explainBinary)
}

// decodeWith never refuses: what is wrong with the data becomes the message's verdict.
func decodeWith(data []byte, message any, decode func([]byte, proto.Message) error,
	explain func(protoreflect.MessageDescriptor, []byte) []errs.Violation,
) error {
	known, ok := message.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is no message", message)
	}
	if err := decode(data, known); err != nil {
		violations := explain(known.ProtoReflect().Descriptor(), data)
		if len(violations) == 0 {
			violations = []errs.Violation{malformed}
		}
		return reject(known, violations)
	}
	return nil
}

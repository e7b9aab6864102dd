package rpc

import (
	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/braidhq/braid/platform/id"
)

// uuidRule is the rule of a field that holds an identifier and must be set.
var uuidRule = validate.FieldRules_builder{String: validate.StringRules_builder{Uuid: proto.Bool(true)}.Build()}.Build()

// onlyIdentifiers returns the fields of a message that holds identifiers and nothing else, as most requests to get
// something do; nil for any other.
func onlyIdentifiers(message protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	if proto.HasExtension(message.Options(), validate.E_Message) {
		return nil
	}
	var fields []protoreflect.FieldDescriptor
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		rules, _ := proto.GetExtension(field.Options(), validate.E_Field).(*validate.FieldRules)
		if field.Kind() != protoreflect.StringKind || field.IsList() || field.ContainingOneof() != nil || !proto.Equal(rules, uuidRule) {
			return nil
		}
		fields = append(fields, field)
	}
	return fields
}

// isValid reports that a request is good without asking the validator, whose regular expressions cost as much as the
// rest of a short request's checks. What it does not vouch for may be good all the same.
func (m *Method) isValid(request protoreflect.Message) bool {
	for _, field := range m.identifiers {
		// Its one spelling is what string.uuid asks for.
		if _, err := id.Parse(request.Get(field).String()); err != nil {
			return false
		}
	}
	return len(m.identifiers) > 0
}

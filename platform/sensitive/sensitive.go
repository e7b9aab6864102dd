// Package sensitive drops the fields that the contract marks as sensitive from messages that are about to be shown or
// kept: in the audit, in `events tail`, in `dlq`. It is the only reader of that mark.
package sensitive

import (
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "github.com/braidhq/braid/gen/go/braid/options/v1"
)

// marked caches, by message name, whether the message or anything in it may hold a sensitive field.
var marked sync.Map

// Strip returns the message without its sensitive fields, at every depth. The message itself is not changed; one that
// holds nothing sensitive is returned as it is.
func Strip(message proto.Message) proto.Message {
	if !holdsMarked(message.ProtoReflect().Descriptor(), map[protoreflect.FullName]bool{}) {
		return message
	}
	copied := proto.Clone(message)
	strip(copied.ProtoReflect(), false)
	return copied
}

// Decode reads a payload by the full name of its message and strips it. An unknown name is an error that names it.
func Decode(schema string, data []byte) (proto.Message, error) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(schema))
	if err != nil {
		return nil, fmt.Errorf("message %q is not in this version's contract: %w", schema, err)
	}
	message := kind.New().Interface()
	if err := proto.Unmarshal(data, message); err != nil {
		return nil, fmt.Errorf("read %s: %w", schema, err)
	}
	// What this version does not know can't be judged, so it is not shown.
	strip(message.ProtoReflect(), true)
	return message, nil
}

// IsSensitive reports whether a field carries the mark.
func IsSensitive(field protoreflect.FieldDescriptor) bool {
	options, ok := field.Options().(*descriptorpb.FieldOptions)
	return ok && proto.GetExtension(options, optionsv1.E_Sensitive).(bool)
}

// plan is what there is to do to the messages of one kind: to go through all fields that are set costs more than to decode
// them.
type plan struct {
	sensitive, messages []protoreflect.FieldDescriptor
}

// plans caches a plan by message name.
var plans sync.Map

func planOf(descriptor protoreflect.MessageDescriptor) *plan {
	if made, ok := plans.Load(descriptor.FullName()); ok {
		return made.(*plan)
	}
	made := &plan{}
	for i := range descriptor.Fields().Len() {
		field := descriptor.Fields().Get(i)
		switch {
		case IsSensitive(field):
			made.sensitive = append(made.sensitive, field)
		case field.Message() != nil:
			made.messages = append(made.messages, field)
		}
	}
	plans.Store(descriptor.FullName(), made)
	return made
}

// strip drops the sensitive fields, and what is unknown when that is wanted, from a message and all that it holds.
func strip(message protoreflect.Message, unknown bool) {
	if unknown && len(message.GetUnknown()) > 0 {
		message.SetUnknown(nil)
	}
	plan := planOf(message.Descriptor())
	for _, field := range plan.sensitive {
		message.Clear(field)
	}
	for _, field := range plan.messages {
		if message.Has(field) {
			eachMessage(field, message.Get(field), func(inner protoreflect.Message) { strip(inner, unknown) })
		}
	}
}

// eachMessage calls visit for the message, or messages, that a field holds.
func eachMessage(field protoreflect.FieldDescriptor, value protoreflect.Value, visit func(protoreflect.Message)) {
	switch {
	case field.IsMap():
		if field.MapValue().Message() != nil {
			value.Map().Range(func(_ protoreflect.MapKey, item protoreflect.Value) bool {
				visit(item.Message())
				return true
			})
		}
	case field.Message() == nil:
	case field.IsList():
		for i := range value.List().Len() {
			visit(value.List().Get(i).Message())
		}
	default:
		visit(value.Message())
	}
}

func holdsMarked(descriptor protoreflect.MessageDescriptor, visiting map[protoreflect.FullName]bool) bool {
	name := descriptor.FullName()
	if known, ok := marked.Load(name); ok {
		return known.(bool)
	}
	if visiting[name] {
		return false
	}
	visiting[name] = true
	found := false
	for i := range descriptor.Fields().Len() {
		field := descriptor.Fields().Get(i)
		if IsSensitive(field) || (field.Message() != nil && holdsMarked(field.Message(), visiting)) {
			found = true
		}
	}
	delete(visiting, name)
	// Inside a cycle an answer is not final until the cycle's first message has its own.
	if found || len(visiting) == 0 {
		marked.Store(name, found)
	}
	return found
}

package bustest

import (
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	optionsv1 "github.com/braidhq/braid/gen/go/braid/options/v1"
)

// EventType is the CloudEvents type of the messages that NewMessage makes.
const EventType = "test.thing.happened"

// descriptor is built here and not from a .proto file: the platform's tests must not depend on a service's contract.
var descriptor = sync.OnceValue(func() protoreflect.MessageDescriptor {
	options := &descriptorpb.MessageOptions{}
	proto.SetExtension(options, optionsv1.E_Event, &optionsv1.Event{Type: EventType})
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("braid/test/v1/test.proto"), Package: proto.String("braid.test.v1"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: proto.String("ThingHappened"), Options: options,
			Field: []*descriptorpb.FieldDescriptorProto{{
				Name: proto.String("text"), Number: proto.Int32(1), JsonName: proto.String("text"),
				Type:  descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
				Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
			}},
		}},
	}, nil)
	if err != nil {
		panic(err)
	}
	return file.Messages().Get(0)
})

// NewMessage returns an event's payload with one text in it.
func NewMessage(text string) proto.Message {
	message := dynamicpb.NewMessage(descriptor())
	message.Set(descriptor().Fields().ByNumber(1), protoreflect.ValueOfString(text))
	return message
}

// TextOf returns the text of a payload that NewMessage made; bad bytes give an empty one.
func TextOf(payload []byte) string {
	message := dynamicpb.NewMessage(descriptor())
	if err := proto.Unmarshal(payload, message); err != nil {
		return ""
	}
	return message.Get(descriptor().Fields().ByNumber(1)).String()
}

// PayloadOf returns the serialized message that NewMessage makes.
func PayloadOf(text string) []byte {
	payload, err := proto.Marshal(NewMessage(text))
	if err != nil {
		panic(err)
	}
	return payload
}

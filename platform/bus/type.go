package bus

import (
	"google.golang.org/protobuf/proto"

	optionsv1 "github.com/braidhq/braid/gen/go/braid/options/v1"
)

// TypeOf returns the CloudEvents type that the contract gives a message, or "" for one that is no event's payload.
func TypeOf(message proto.Message) string {
	options := message.ProtoReflect().Descriptor().Options()
	event, ok := proto.GetExtension(options, optionsv1.E_Event).(*optionsv1.Event)
	if !ok {
		return ""
	}
	return event.GetType()
}

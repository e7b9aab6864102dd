package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/braidhq/braid/gen/go/braid/options/v1"
	"github.com/braidhq/braid/platform/rpc"
)

// streamContent describes server-sent events, which OpenAPI 3.1 has no words for: the text as a string, the data of
// each event as a component, and an example of the text.
func (o *operations) streamContent(output protoreflect.MessageDescriptor) (*object, error) {
	events, lines := newObject(), strings.Builder{}
	description := "Server-sent events. "
	for i := range output.Fields().Len() {
		field := output.Fields().Get(i)
		if field.Name() == "heartbeat" {
			lines.WriteString(": heartbeat\n\n")
			continue
		}
		reference, err := o.schemas.reference(string(field.Message().FullName()))
		if err != nil {
			return nil, err
		}
		events.set(string(field.Name()), reference)
		description += fmt.Sprintf("`event: %s` has a %s as its data. ", field.Name(), schemaName(string(field.Message().FullName())))
		message, err := exampleOf(field.Message())
		if err != nil {
			return nil, err
		}
		example, err := exampleJSON(message, true)
		if err != nil {
			return nil, err
		}
		data, err := json.Marshal(example)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&lines, "event: %s\nid: %s\ndata: %s\n\n", field.Name(), example.text("revision"), data)
	}
	description += "A comment comes when nothing happened for a while. The `id` goes into `Last-Event-ID` to go on from there. " +
		"A stream that the server ends says why with `event: error`."
	schema := newObject("type", "string", "description", description)
	return newObject("text/event-stream", newObject("schema", schema, "x-braid-events", events, "example", lines.String())), nil
}

// breaks reports whether validation blames the field itself.
func breaks(err error, field protoreflect.FieldDescriptor) bool {
	var failed *protovalidate.ValidationError
	if !errors.As(err, &failed) {
		return false
	}
	for _, found := range failed.Violations {
		path := protovalidate.FieldPathString(found.Proto.GetField())
		if path == string(field.Name()) {
			return true
		}
	}
	return false
}

// selfField is the request's field that may name the caller, "" for none.
func selfField(method *rpc.Method) string {
	permission, _ := proto.GetExtension(method.Descriptor.Options(), optionsv1.E_Permission).(*optionsv1.Permission)
	return permission.GetSelfField()
}

// isFile says that a method answers with a file.
func isFile(method *rpc.Method) bool {
	return method.Descriptor.Output().FullName() == "google.api.HttpBody"
}

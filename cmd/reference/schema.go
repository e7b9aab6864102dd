package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

const (
	componentPrefix = "#/components/schemas/"
	wellKnownPrefix = "google.protobuf."
)

// schemaName is what a message or enum is called in the document: "braid.workflow.v1.Task.Priority" is TaskPriority.
func schemaName(fullName string) string {
	parts := strings.Split(fullName, ".")
	return strings.Join(parts[min(3, len(parts)-1):], "")
}

// ruleInText is how the plugin tells of rules that JSON Schema has no keyword for.
var ruleInText = regexp.MustCompile(`(^| )string\.[a-z_]+(?: = true)? // (.+)$`)

// cleanSchema makes what the plugin wrote of a message say what the wire does: names without packages, well-known types
// in place, no titles that repeat names, no keywords where they mean nothing.
func cleanSchema(value any) any {
	switch value := value.(type) {
	case []any:
		for i := range value {
			value[i] = cleanSchema(value[i])
		}
		return value
	case *object:
		return cleanObject(value)
	default:
		return value
	}
}

func cleanObject(schema *object) any {
	if target, ok := strings.CutPrefix(schema.text("$ref"), componentPrefix); ok {
		return cleanReference(schema, target)
	}
	if properties := schema.object("properties"); properties != nil {
		for _, name := range properties.names {
			properties.values[name] = cleanSchema(properties.values[name])
		}
	}
	if items := schema.object("items"); items != nil {
		// The plugin repeats the list's own rules on its items.
		items.remove("maxItems", "minItems", "uniqueItems")
		schema.values["items"] = cleanSchema(items)
	}
	// A 64-bit number is text in JSON, because JavaScript's numbers can't hold it.
	if kinds := schema.list("type"); len(kinds) == 2 && schema.text("format") == "int64" {
		schema.set("type", "string")
	}
	// Null counts as absent, wherever a field may be absent; 3.1 has no such keyword.
	schema.remove("title", "nullable")
	if text := schema.text("description"); text != "" {
		schema.set("description", ruleInText.ReplaceAllString(strings.Join(strings.Fields(text), " "), "${1}It $2."))
	}
	return schema
}

func cleanReference(schema *object, target string) any {
	inPlace := newObject()
	switch target {
	case wellKnownPrefix + "Timestamp":
		inPlace.set("type", "string").set("format", "date-time")
	case wellKnownPrefix + "Duration":
		inPlace.set("type", "string").set("pattern", `^[0-9]+(\.[0-9]{1,9})?s$`)
		// The plugin writes the rules behind the text, where no schema has a place for them.
		text, _, _ := strings.Cut(schema.text("description"), "\nduration.")
		text, _, _ = strings.Cut(text, " duration.")
		schema.set("description", text)
	case wellKnownPrefix + "Struct":
		inPlace.set("type", "object").set("additionalProperties", true)
	default:
		inPlace.set("$ref", componentPrefix+schemaName(target))
	}
	if text := schema.text("description"); text != "" {
		inPlace.set("description", strings.Join(strings.Fields(text), " "))
	}
	return inPlace
}

// schemas collects the components that the operations refer to.
type schemas struct {
	contract *contract
	raw      *object
	used     map[string]*object
	// patched are the fields that PATCH may write, by message; requested are messages within other requests.
	patched   map[string][]string
	requested map[string]bool
}

// reference returns a $ref to a message or enum and keeps it, with what it refers to.
func (s *schemas) reference(fullName string) (*object, error) {
	reference := newObject("$ref", componentPrefix+schemaName(fullName))
	return reference, s.keep(fullName)
}

func (s *schemas) keep(fullName string) error {
	name := schemaName(fullName)
	if _, done := s.used[name]; done {
		return nil
	}
	schema := s.raw.object(fullName)
	if schema == nil {
		return fmt.Errorf("the plugin wrote no schema for %s", fullName)
	}
	s.used[name] = schema
	cleanObject(schema)
	described, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(fullName))
	if err != nil {
		return fmt.Errorf("%s: %w", fullName, err)
	}
	if enum, ok := described.(protoreflect.EnumDescriptor); ok {
		schema.set("description", s.describeEnum(enum))
		return nil
	}
	message := described.(protoreflect.MessageDescriptor)
	schema.set("description", s.contract.sentence(message))
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		if inner := typeOf(field); inner != "" {
			if err := s.keep(inner); err != nil {
				return err
			}
		}
	}
	return s.markFields(schema, message)
}

// typeOf names the message or enum of a field that has a component of its own.
func typeOf(field protoreflect.FieldDescriptor) string {
	switch {
	case field.Kind() == protoreflect.EnumKind:
		return string(field.Enum().FullName())
	case field.Kind() == protoreflect.MessageKind && !strings.HasPrefix(string(field.Message().FullName()), wellKnownPrefix):
		return string(field.Message().FullName())
	default:
		return ""
	}
}

func (s *schemas) describeEnum(enum protoreflect.EnumDescriptor) string {
	var text strings.Builder
	text.WriteString(s.contract.sentence(enum))
	for i := range enum.Values().Len() {
		value := enum.Values().Get(i)
		fmt.Fprintf(&text, "\n- `%s`: %s", value.Name(), s.contract.comment(value))
	}
	return text.String()
}

// markFields says which fields only the server writes, and which are always in an answer: protojson writes every field
// but messages without a value.
func (s *schemas) markFields(schema *object, message protoreflect.MessageDescriptor) error {
	properties := schema.object("properties")
	writable, patched := s.patched[string(message.FullName())]
	requested := s.requested[string(message.FullName())] || strings.HasSuffix(string(message.Name()), "Request")
	var always []any
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		property := properties.object(field.JSONName())
		if property == nil {
			return fmt.Errorf("%s: the plugin wrote no property %s", message.FullName(), field.JSONName())
		}
		readOnly := patched && !slices.Contains(writable, string(field.Name())) && field.Name() != "etag"
		if readOnly {
			property.set("readOnly", true)
		}
		written := field.Kind() != protoreflect.MessageKind || field.IsList()
		if written && (readOnly || !patched && !requested) {
			always = append(always, field.JSONName())
		}
		if property.text("format") == "uuid" && mayBeEmpty(field) {
			property.remove("format")
			property.set("pattern", "^$|^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
		}
		if text, known := valueFor(exampleTexts, field); known && field.Kind() == protoreflect.StringKind && !field.IsList() {
			property.set("examples", []any{text})
		}
	}
	if len(always) > 0 {
		schema.set("required", always)
	}
	return nil
}

// mayBeEmpty reports whether the empty value passes whatever else the rules ask.
func mayBeEmpty(field protoreflect.FieldDescriptor) bool {
	rules, _ := proto.GetExtension(field.Options(), validate.E_Field).(*validate.FieldRules)
	return rules.GetIgnore() == validate.Ignore_IGNORE_IF_ZERO_VALUE
}

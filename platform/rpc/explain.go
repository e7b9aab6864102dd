package rpc

import (
	"bytes"
	"encoding/json"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/braidhq/braid/platform/errs"
)

// Decoders say that something is wrong, not where. Only when one has failed is the request looked at again, slowly,
// along its descriptor, to name the field in the caller's spelling. maxExplained bounds the answer.
const maxExplained = 20

// explainBody finds what is wrong with a body that could not be decoded.
func (m *Method) explainBody(body []byte) []errs.Violation {
	if m.bodyField != nil {
		return explainJSON(m.bodyField.Message(), body)
	}
	return explainJSON(m.Descriptor.Input(), body)
}

// explainJSON names each field of a JSON document that does not fit the message.
func explainJSON(target protoreflect.MessageDescriptor, data []byte) []errs.Violation {
	// A raw control character makes a document unreadable before a field is known. In its place stands a byte that no
	// text may have either, and that can be found by its field.
	readable := bytes.Clone(data)
	for i, char := range readable {
		if char < ' ' && char != '\n' && char != '\r' && char != '\t' {
			readable[i] = invalidByte
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(readable))
	decoder.UseNumber()
	var document json.RawMessage
	if deeper(readable, maxDepth) {
		return []errs.Violation{{Field: "", Rule: "json.depth", Message: "is nested more than " + strconv.Itoa(maxDepth) + " levels deep"}}
	}
	if err := decoder.Decode(&document); err != nil || decoder.More() {
		return []errs.Violation{{Field: "", Rule: "json.malformed", Message: "the body is not one JSON document"}}
	}
	explainer := explainer{}
	explainer.message(target, document, "")
	return explainer.found
}

// maxDepth is how deep the decoders go; what is deeper is no malformed document to its caller.
const maxDepth = 10_000

// deeper reports whether a document opens more than limit levels of objects and lists.
func deeper(data []byte, limit int) bool {
	depth, text := 0, false
	for i := 0; i < len(data); i++ {
		switch char := data[i]; {
		case text && char == '\\':
			i++
		case char == '"':
			text = !text
		case text:
		case char == '{', char == '[':
			if depth++; depth > limit {
				return true
			}
		case char == '}', char == ']':
			depth--
		}
	}
	return false
}

// invalidByte is in no UTF-8.
const invalidByte = 0xff

// maxLooks bounds the work for one document: looking is slow, and anybody may send a long one.
const maxLooks = 2000

type explainer struct {
	found []errs.Violation
	looks int
}

func (e *explainer) add(path, rule, message string) {
	if len(e.found) < maxExplained {
		e.found = append(e.found, errs.Violation{Field: path, Rule: rule, Message: message})
	}
}

func (e *explainer) message(target protoreflect.MessageDescriptor, document json.RawMessage, path string) {
	if wellKnown(target) {
		e.value(target, document, path)
		return
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(document, &fields); err != nil || fields == nil {
		e.add(path, "json.type", "must be an object")
		return
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	sort.Strings(names)
	repeated := repeatedNames(target, document)
	for _, name := range names {
		fieldPath := name
		if path != "" {
			fieldPath = path + "." + name
		}
		field := fieldNamed(target, name)
		switch {
		case field == nil:
			e.add(strings.ToValidUTF8(fieldPath, "\uFFFD"), "json.unknown_field", "is not a field of this request")
		case repeated[field]:
			e.add(fieldPath, "json.repeated_field", "may be given once")
		default:
			e.field(field, fields[name], fieldPath)
		}
	}
}

// repeatedNames finds the fields that an object has more than once, under either of their names.
func repeatedNames(target protoreflect.MessageDescriptor, document json.RawMessage) map[protoreflect.FieldDescriptor]bool {
	decoder := json.NewDecoder(bytes.NewReader(document))
	seen := map[protoreflect.FieldDescriptor]bool{}
	if _, err := decoder.Token(); err != nil {
		return nil
	}
	for decoder.More() {
		token, err := decoder.Token()
		name, ok := token.(string)
		var value json.RawMessage
		if err != nil || !ok || decoder.Decode(&value) != nil {
			return nil
		}
		if field := fieldNamed(target, name); field != nil {
			_, before := seen[field]
			seen[field] = before
		}
	}
	return seen
}

func (e *explainer) field(field protoreflect.FieldDescriptor, document json.RawMessage, path string) {
	if string(document) == "null" {
		return
	}
	if !field.IsList() {
		e.single(field, document, path)
		return
	}
	var items []json.RawMessage
	if err := json.Unmarshal(document, &items); err != nil {
		e.add(path, "json.type", "must be a list")
		return
	}
	for i, item := range items {
		e.single(field, item, path+"["+strconv.Itoa(i)+"]")
	}
}

func (e *explainer) single(field protoreflect.FieldDescriptor, document json.RawMessage, path string) {
	if e.looks++; e.looks > maxLooks || len(e.found) >= maxExplained {
		return
	}
	if field.Kind() == protoreflect.MessageKind {
		e.message(field.Message(), document, path)
		return
	}
	if !utf8.Valid(document) {
		e.add(path, "json.utf8", "must be valid UTF-8 without control characters")
		return
	}
	// The decoder itself is asked about this one field.
	holder := dynamicpb.NewMessage(field.ContainingMessage())
	if field.IsList() {
		document = append(append([]byte("["), document...), ']')
	}
	wrapped := append(append([]byte(`{"`+field.JSONName()+`":`), document...), '}')
	if err := protojson.Unmarshal(wrapped, holder); err != nil {
		e.add(path, "json.type", "must be "+typeName(field))
	}
}

func (e *explainer) value(target protoreflect.MessageDescriptor, document json.RawMessage, path string) {
	if err := protojson.Unmarshal(document, dynamicpb.NewMessage(target)); err != nil {
		switch target.FullName() {
		case "google.protobuf.Timestamp":
			e.add(path, "json.type", "must be an RFC 3339 time")
		default:
			e.add(path, "json.type", "has the wrong form")
		}
	}
}

func wellKnown(target protoreflect.MessageDescriptor) bool {
	return target.ParentFile().Package() == "google.protobuf"
}

func typeName(field protoreflect.FieldDescriptor) string {
	switch field.Kind() {
	case protoreflect.StringKind:
		return "a string of valid Unicode"
	case protoreflect.BoolKind:
		return "true or false"
	case protoreflect.EnumKind:
		names := ""
		for i := range field.Enum().Values().Len() {
			if i > 0 {
				names += ", "
			}
			names += string(field.Enum().Values().Get(i).Name())
		}
		return "one of " + names
	case protoreflect.BytesKind:
		return "base64"
	default:
		return "a whole number in range"
	}
}

// explainBinary names each text of an encoded message that is no UTF-8, which is all that a field can have wrong there.
func explainBinary(target protoreflect.MessageDescriptor, data []byte) []errs.Violation {
	explainer := explainer{}
	explainer.binary(target, data, "")
	return explainer.found
}

func (e *explainer) binary(target protoreflect.MessageDescriptor, data []byte, path string) {
	for len(data) > 0 {
		if e.looks++; e.looks > maxLooks {
			return
		}
		number, kind, length := protowire.ConsumeTag(data)
		if length < 0 {
			return
		}
		data = data[length:]
		if length = protowire.ConsumeFieldValue(number, kind, data); length < 0 {
			return
		}
		field := target.Fields().ByNumber(number)
		if value, ok := protowire.ConsumeBytes(data[:length]); field != nil && kind == protowire.BytesType && ok >= 0 {
			switch field.Kind() {
			case protoreflect.MessageKind:
				e.binary(field.Message(), value, path+field.JSONName()+".")
			case protoreflect.StringKind:
				if !utf8.Valid(value) {
					e.add(path+field.JSONName(), "proto.utf8", "must be valid UTF-8")
				}
			}
		}
		data = data[length:]
	}
}

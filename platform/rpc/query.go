package rpc

import (
	"encoding/json"
	"errors"
	"math"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/braidhq/braid/platform/errs"
)

const fieldMaskName = protoreflect.FullName("google.protobuf.FieldMask")

// decodeQuery fills the message from the query as strictly as from a body: what is no parameter is refused. A method
// whose body is the whole request takes none.
func (r *restRequest) decodeQuery(message protoreflect.Message) error {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return invalid(queryMalformed).WithCause(err)
	}
	if violations := r.method.readQuery(message, values); len(violations) > 0 {
		return invalid(violations...)
	}
	return nil
}

var queryMalformed = errs.Violation{Rule: "query.malformed", Message: "the query can't be read"}

// readQuery sets what fits and names each parameter that does not.
func (m *Method) readQuery(message protoreflect.Message, values url.Values) []errs.Violation {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	sort.Strings(names)
	var violations []errs.Violation
	for _, name := range names {
		if violation, ok := m.readParameter(message, name, values[name]); !ok && len(violations) < maxExplained {
			violations = append(violations, violation)
		}
	}
	return violations
}

func (m *Method) readParameter(message protoreflect.Message, name string, values []string) (errs.Violation, bool) {
	field := m.parameter(message.Descriptor(), name)
	switch {
	case field == nil:
		return errs.Violation{Field: name, Rule: "query.unknown_parameter", Message: "is not a parameter of this request"}, false
	case len(values) > 1 && !field.IsList():
		return errs.Violation{Field: name, Rule: "query.repeated", Message: "may be given once"}, false
	}
	for _, value := range values {
		if !utf8.ValidString(value) || strings.IndexByte(value, 0) >= 0 {
			return errs.Violation{Field: name, Rule: "query.utf8", Message: "must be valid UTF-8 without NUL"}, false
		}
	}
	if !setParameter(message, field, values) {
		return errs.Violation{Field: name, Rule: "query.type", Message: "must be " + typeName(field)}, false
	}
	return errs.Violation{}, true
}

// parameter returns the field that a query parameter names: none for what the body or the path fills.
func (m *Method) parameter(input protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	field := fieldNamed(input, name)
	if field == nil || m.Body == "*" || field == m.bodyField || field.IsMap() ||
		(field.Kind() == protoreflect.MessageKind && !wellKnown(field.Message())) {
		return nil
	}
	for _, variable := range m.variables {
		if variable == field {
			return nil
		}
	}
	return field
}

// fieldNamed finds a field by its name in JSON or in the contract.
func fieldNamed(message protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if field := message.Fields().ByJSONName(name); field != nil {
		return field
	}
	return message.Fields().ByTextName(name)
}

// setParameter sets a field from text and reports whether the text was fit for it.
func setParameter(message protoreflect.Message, field protoreflect.FieldDescriptor, values []string) bool {
	switch {
	case field.Kind() == protoreflect.StringKind && !field.IsList():
		message.Set(field, protoreflect.ValueOfString(values[0]))
		return true
	case field.Name() == "page_size" && isBeyondInt32(values[0]):
		// More than there may be on a page is as many as there may be, however large the number.
		message.Set(field, protoreflect.ValueOfInt32(math.MaxInt32))
		return true
	case field.Kind() == protoreflect.MessageKind && field.Message().FullName() == fieldMaskName && !field.IsList():
		mask := &fieldmaskpb.FieldMask{}
		for path := range strings.SplitSeq(values[0], ",") {
			if path != "" {
				mask.Paths = append(mask.Paths, snakeCase(path))
			}
		}
		if len(mask.GetPaths()) > 0 {
			message.Set(field, protoreflect.ValueOfMessage(mask.ProtoReflect()))
		}
		return true
	}
	return setDecoded(message, field, values)
}

func isBeyondInt32(text string) bool {
	number, err := strconv.ParseInt(text, 10, 32)
	return number == math.MaxInt32 && errors.Is(err, strconv.ErrRange)
}

// setDecoded leaves the text to the decoder of bodies, so that a value is the same wherever it stands.
func setDecoded(message protoreflect.Message, field protoreflect.FieldDescriptor, values []string) bool {
	var items []json.RawMessage
	for _, value := range values {
		item, err := json.Marshal(value)
		if err != nil {
			return false
		}
		if field.Kind() == protoreflect.BoolKind {
			// The one kind that the decoder takes without quotes only.
			item = json.RawMessage(value)
		}
		items = append(items, item)
	}
	var content any = items
	if !field.IsList() {
		content = items[0]
	}
	document, err := json.Marshal(map[string]any{field.JSONName(): content})
	if err != nil {
		return false
	}
	decoded := message.New()
	if err := decodeJSON.Unmarshal(document, decoded.Interface()); err != nil {
		return false
	}
	message.Set(field, decoded.Get(field))
	return true
}

func snakeCase(path string) string {
	var out strings.Builder
	for _, char := range path {
		if 'A' <= char && char <= 'Z' {
			out.WriteByte('_')
			char += 'a' - 'A'
		}
		out.WriteRune(char)
	}
	return out.String()
}

package rpc

import (
	"fmt"
	"net/url"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/braidhq/braid/platform/errs"
)

// queryParser reads query parameters as strictly as bodies: grpc-gateway's own drops the unknown ones.
type queryParser struct{}

// Parse implements runtime.QueryParameterParser.
func (queryParser) Parse(message proto.Message, values url.Values, filter *utilities.DoubleArray) error {
	if len(values) == 0 {
		return nil
	}
	if violations := explainQuery(message.ProtoReflect().Descriptor(), values); len(violations) > 0 {
		return fmt.Errorf("query parameter %s", violations[0].Field)
	}
	if err := (&runtime.DefaultQueryParser{}).Parse(message, values, filter); err != nil {
		return err
	}
	spellMasks(message.ProtoReflect())
	return nil
}

// spellMasks gives the paths of field masks the contract's spelling: callers write them as in JSON, "dueTime", and
// grpc-gateway leaves them so where they come from the query.
func spellMasks(message protoreflect.Message) {
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Kind() != protoreflect.MessageKind || field.IsList() {
			return true
		}
		if mask, ok := value.Message().Interface().(*fieldmaskpb.FieldMask); ok {
			for i, path := range mask.GetPaths() {
				mask.Paths[i] = snakeCase(path)
			}
		}
		return true
	})
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

// explainQuery names each parameter that does not fit the request.
func explainQuery(input protoreflect.MessageDescriptor, values url.Values) []errs.Violation {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	sort.Strings(names)
	var violations []errs.Violation
	for _, name := range names {
		if violation, ok := explainParameter(input, name, values[name]); !ok && len(violations) < maxExplained {
			violations = append(violations, violation)
		}
	}
	return violations
}

func explainParameter(input protoreflect.MessageDescriptor, name string, values []string) (errs.Violation, bool) {
	field := input.Fields().ByJSONName(name)
	if field == nil {
		field = input.Fields().ByTextName(name)
	}
	switch {
	case field == nil || (field.Kind() == protoreflect.MessageKind && !wellKnown(field.Message())):
		return errs.Violation{Field: name, Rule: "query.unknown_parameter", Message: "is not a parameter of this request"}, false
	case len(values) > 1 && !field.IsList():
		return errs.Violation{Field: name, Rule: "query.repeated", Message: "may be given once"}, false
	}
	for _, value := range values {
		if !utf8.ValidString(value) || strings.IndexByte(value, 0) >= 0 {
			return errs.Violation{Field: name, Rule: "query.utf8", Message: "must be valid UTF-8 without NUL"}, false
		}
		if err := runtime.PopulateFieldFromPath(dynamicpb.NewMessage(input), string(field.Name()), value); err != nil {
			return errs.Violation{Field: name, Rule: "query.type", Message: "must be " + typeName(field)}, false
		}
	}
	return errs.Violation{}, true
}

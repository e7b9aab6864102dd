package rpc

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/jsonwire"
)

// invalid is the answer to a request that breaks rules.
func invalid(violations ...errs.Violation) *errs.Error {
	return errs.New(errs.InvalidArgument, "INVALID_ARGUMENT", "The request is not valid.").WithViolation(violations...)
}

// Check holds a message against the contract's rules where the chain has not: one of many in a request that fails alone.
func Check(message proto.Message) error {
	if violation, ok := findUnstorable(message.ProtoReflect(), ""); ok {
		return invalid(violation)
	}
	return refusalOf(protovalidate.Validate(message))
}

// refusalOf turns what validation says into a refusal; nil stays nil.
func refusalOf(err error) error {
	var failed *protovalidate.ValidationError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &failed):
		return invalid(violationsOf(failed)...)
	default:
		return fmt.Errorf("validate request: %w", err)
	}
}

// violationsOf spells protovalidate's findings as the caller would: JSON names, without values.
func violationsOf(failed *protovalidate.ValidationError) []errs.Violation {
	violations := make([]errs.Violation, 0, len(failed.Violations))
	for _, found := range failed.Violations {
		violations = append(violations, errs.Violation{
			Field:   jsonwire.Path(protovalidate.FieldPathString(found.Proto.GetField())),
			Rule:    found.Proto.GetRuleId(),
			Message: found.Proto.GetMessage(),
		})
	}
	return violations
}

// findUnstorable looks for text that PostgreSQL can't hold: with a NUL character, or, from a path or a header, which
// no decoder has checked, not valid UTF-8.
func findUnstorable(message protoreflect.Message, path string) (found errs.Violation, ok bool) {
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		name := field.JSONName()
		if path != "" {
			name = path + "." + name
		}
		switch {
		case field.IsList() && (field.Kind() == protoreflect.StringKind || field.Kind() == protoreflect.MessageKind):
			list := value.List()
			for i := 0; i < list.Len() && !ok; i++ {
				found, ok = unstorableIn(field, list.Get(i), name+"["+strconv.Itoa(i)+"]")
			}
		case !field.IsList() && !field.IsMap():
			found, ok = unstorableIn(field, value, name)
		}
		return !ok
	})
	return found, ok
}

func unstorableIn(field protoreflect.FieldDescriptor, value protoreflect.Value, path string) (errs.Violation, bool) {
	switch field.Kind() {
	case protoreflect.StringKind:
		text := value.String()
		if !utf8.ValidString(text) {
			return errs.Violation{Field: path, Rule: "string.utf8", Message: "must be valid UTF-8"}, true
		}
		if strings.IndexByte(text, 0) >= 0 {
			return errs.Violation{Field: path, Rule: "string.no_nul", Message: "must not contain a NUL character"}, true
		}
	case protoreflect.MessageKind:
		return findUnstorable(value.Message(), path)
	}
	return errs.Violation{}, false
}

package rpc

import (
	"unicode"
	"unicode/utf8"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/braidhq/braid/gen/go/braid/options/v1"
	"github.com/braidhq/braid/platform/id"
)

// shortCheck vouches for one field of a request: what it calls good, the validator calls good too, and it can be stored.
// What it does not vouch for may be good all the same.
type shortCheck struct {
	field protoreflect.FieldDescriptor
	good  func(protoreflect.Value) bool
}

// shortChecksOf returns a check for each field of a request; nil when there is one with rules that are not known here.
func shortChecksOf(message protoreflect.MessageDescriptor) []shortCheck {
	if proto.HasExtension(message.Options(), validate.E_Message) {
		return nil
	}
	var checks []shortCheck
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		oneof := field.ContainingOneof()
		if field.IsMap() || oneof != nil && !oneof.IsSynthetic() {
			return nil
		}
		rules := &validate.FieldRules{}
		if declared, _ := proto.GetExtension(field.Options(), validate.E_Field).(*validate.FieldRules); declared != nil {
			rules = proto.CloneOf(declared)
		}
		good := goodList(field, rules)
		if !field.IsList() {
			good = goodValue(field, rules)
		}
		if good == nil {
			return nil
		}
		checks = append(checks, shortCheck{field, good})
	}
	return checks
}

// isValid reports that a request is good without asking the validator, whose regular expressions cost more than all else
// that is checked of a short request.
func (m *Method) isValid(request protoreflect.Message) bool {
	for _, check := range m.checks {
		if check.field.HasPresence() && !request.Has(check.field) {
			continue
		}
		if !check.good(request.Get(check.field)) {
			return false
		}
	}
	return len(m.checks) > 0
}

// goodValue returns the check of a single value under rules, which it uses up; nil when there are others among them.
func goodValue(field protoreflect.FieldDescriptor, rules *validate.FieldRules) func(protoreflect.Value) bool {
	switch field.Kind() {
	case protoreflect.StringKind:
		return goodText(rules)
	case protoreflect.EnumKind:
		if !rules.HasEnum() {
			return nil
		}
		definedOnly := rules.GetEnum().GetDefinedOnly()
		rules.GetEnum().ClearDefinedOnly()
		if proto.Size(rules.GetEnum()) > 0 || !isAllOf(rules, rules.ClearEnum) {
			return nil
		}
		values := field.Enum().Values()
		return func(value protoreflect.Value) bool { return !definedOnly || values.ByNumber(value.Enum()) != nil }
	case protoreflect.MessageKind:
		// A message that is there may hold anything; one that is not was passed over before, and rules of times with it.
		rules.ClearTimestamp()
		if proto.Size(rules) > 0 {
			return nil
		}
		return func(protoreflect.Value) bool { return false }
	default:
		return nil
	}
}

// isAllOf reports whether rules have nothing left once clear has taken a part away.
func isAllOf(rules *validate.FieldRules, clear func()) bool {
	clear()
	return proto.Size(rules) == 0
}

// goodText returns the check of an identifier or of a text of visible characters.
func goodText(rules *validate.FieldRules) func(protoreflect.Value) bool {
	optional := rules.GetIgnore() == validate.Ignore_IGNORE_IF_ZERO_VALUE
	if optional {
		rules.ClearIgnore()
	}
	text := rules.GetString()
	if text == nil {
		return nil
	}
	identifier, least, most := text.GetUuid(), int(text.GetMinLen()), -1
	if text.HasMaxLen() {
		most = int(text.GetMaxLen())
	}
	oneLine, _ := proto.GetExtension(text, optionsv1.E_OneLine).(bool)
	lines, _ := proto.GetExtension(text, optionsv1.E_Lines).(bool)
	text.ClearMinLen()
	text.ClearMaxLen()
	if identifier {
		text.ClearUuid()
	}
	proto.ClearExtension(text, optionsv1.E_OneLine)
	proto.ClearExtension(text, optionsv1.E_Lines)
	if proto.Size(text) > 0 || !isAllOf(rules, rules.ClearString) {
		return nil
	}
	var good func(string) bool
	switch {
	case identifier && least == 0 && most < 0 && !oneLine && !lines:
		// Its one spelling is what string.uuid asks for.
		good = func(value string) bool { _, err := id.Parse(value); return err == nil }
	case !identifier && oneLine != lines && most >= 0:
		good = func(value string) bool { return isVisible(value, least, most, lines) }
	default:
		return nil
	}
	return func(value protoreflect.Value) bool {
		text := value.String()
		return optional && text == "" || good(text)
	}
}

// isVisible vouches for texts of letters, marks, digits, punctuation, symbols and spaces, which is what nearly all are.
func isVisible(text string, least, most int, lines bool) bool {
	if len(text) > utf8.UTFMax*most {
		return false
	}
	count, visible := 0, lines
	for at := 0; at < len(text); count++ {
		if character := text[at]; character < utf8.RuneSelf {
			at++
			switch {
			case character > ' ' && character < 0x7F:
				visible = true
			case character == ' ', lines && (character == '\n' || character == '\t' || character == '\r'):
			default:
				return false
			}
			continue
		}
		character, size := utf8.DecodeRuneInString(text[at:])
		at += size
		if character == utf8.RuneError || !unicode.IsGraphic(character) || unicode.IsSpace(character) {
			return false
		}
		visible = visible || !unicode.Is(unicode.Z, character)
	}
	return count >= least && count <= most && (visible || count == 0)
}

// goodList returns the check of a list of texts.
func goodList(field protoreflect.FieldDescriptor, rules *validate.FieldRules) func(protoreflect.Value) bool {
	list := rules.GetRepeated()
	if !field.IsList() || field.Kind() != protoreflect.StringKind || !list.HasItems() || !list.HasMaxItems() {
		return nil
	}
	good := goodText(list.GetItems())
	most, unique := int(list.GetMaxItems()), list.GetUnique()
	list.ClearItems()
	list.ClearMaxItems()
	list.ClearUnique()
	if good == nil || proto.Size(list) > 0 || !isAllOf(rules, rules.ClearRepeated) {
		return nil
	}
	return func(value protoreflect.Value) bool {
		items := value.List()
		if items.Len() > most {
			return false
		}
		for i := range items.Len() {
			if !good(items.Get(i)) || unique && isRepeated(items, i) {
				return false
			}
		}
		return true
	}
}

// isRepeated reports whether an item of a short list stands before it, too.
func isRepeated(items protoreflect.List, at int) bool {
	for before := range at {
		if items.Get(before).String() == items.Get(at).String() {
			return true
		}
	}
	return false
}

package config

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// ByteSize is a number of bytes. It reads "1048576", "512B", "64KiB", "1MiB", "2GiB" (powers of 1024) and "1KB",
// "1MB", "1GB" (powers of 1000).
type ByteSize int64

var byteUnits = []struct {
	suffix string
	size   int64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *ByteSize) UnmarshalText(text []byte) error {
	number, factor := string(text), int64(1)
	for _, unit := range byteUnits {
		if rest, found := strings.CutSuffix(number, unit.suffix); found {
			number, factor = strings.TrimSpace(rest), unit.size
			break
		}
	}
	parsed, err := strconv.ParseInt(number, 10, 64)
	if err != nil || parsed < 0 || parsed > math.MaxInt64/factor {
		return errors.New("not a size")
	}
	*b = ByteSize(parsed * factor)
	return nil
}

// MarshalText implements encoding.TextMarshaler with the largest unit that divides the size.
func (b ByteSize) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// String returns the form that MarshalText writes.
func (b ByteSize) String() string {
	for _, unit := range byteUnits[:3] {
		if b != 0 && int64(b)%unit.size == 0 {
			return strconv.FormatInt(int64(b)/unit.size, 10) + unit.suffix
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}

// parseError says what a text should have been.
type parseError struct{ text, wanted string }

func (e *parseError) Error() string { return fmt.Sprintf("%q is not %s", e.text, e.wanted) }

var (
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	durationType    = reflect.TypeFor[time.Duration]()
	byteSizeType    = reflect.TypeFor[ByteSize]()
)

// isSection reports whether a field of this type holds further keys and is no value by itself.
func isSection(declared reflect.Type) bool {
	return declared.Kind() == reflect.Struct && !reflect.PointerTo(declared).Implements(textUnmarshaler)
}

// parser reads a text into a value of the type it was chosen for; what is wrong it says as "is not …".
type parser func(value reflect.Value, text string) (wanted string, ok bool)

// parserOf returns the parser of a type or of a slice's element type; nil when the type is not supported.
func parserOf(declared reflect.Type) parser {
	switch {
	case reflect.PointerTo(declared).Implements(textUnmarshaler):
		return parseText
	case declared == durationType:
		return parseDuration
	}
	switch declared.Kind() {
	case reflect.Slice:
		if declared.Elem().Kind() == reflect.Slice {
			return nil
		}
		return parserOf(declared.Elem())
	case reflect.String:
		return func(value reflect.Value, text string) (string, bool) {
			value.SetString(text)
			return "", true
		}
	case reflect.Bool:
		return func(value reflect.Value, text string) (string, bool) {
			parsed, err := strconv.ParseBool(text)
			value.SetBool(parsed)
			return "true or false", err == nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(value reflect.Value, text string) (string, bool) {
			parsed, err := strconv.ParseInt(text, 10, value.Type().Bits())
			value.SetInt(parsed)
			return "a whole number in range", err == nil
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return func(value reflect.Value, text string) (string, bool) {
			parsed, err := strconv.ParseUint(text, 10, value.Type().Bits())
			value.SetUint(parsed)
			return "a whole number, zero or more, in range", err == nil
		}
	case reflect.Float64:
		return func(value reflect.Value, text string) (string, bool) {
			parsed, err := strconv.ParseFloat(text, 64)
			value.SetFloat(parsed)
			return "a number", err == nil && !math.IsNaN(parsed) && !math.IsInf(parsed, 0)
		}
	}
	return nil
}

func parseText(value reflect.Value, text string) (string, bool) {
	wanted := "a valid " + typeName(value.Type())
	unmarshaler, ok := value.Addr().Interface().(encoding.TextUnmarshaler)
	return wanted, ok && unmarshaler.UnmarshalText([]byte(text)) == nil
}

func parseDuration(value reflect.Value, text string) (string, bool) {
	parsed, err := time.ParseDuration(text)
	value.SetInt(int64(parsed))
	return "a duration such as 500ms, 5s or 2h", err == nil
}

// parseInto fills a value from texts. When it is a slice and list is false, the single text is cut at its commas.
func parseInto(value reflect.Value, texts []string, list bool) *parseError {
	parse := parserOf(value.Type())
	if value.Kind() != reflect.Slice || reflect.PointerTo(value.Type()).Implements(textUnmarshaler) {
		if list {
			return &parseError{text: strings.Join(texts, ","), wanted: "a single value"}
		}
		if wanted, ok := parse(value, texts[0]); !ok {
			return &parseError{text: texts[0], wanted: wanted}
		}
		return nil
	}
	var whole string
	if !list {
		whole = strings.TrimSpace(texts[0])
		texts = strings.Split(whole, ",")
	}
	for _, text := range texts {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		element := reflect.New(value.Type().Elem()).Elem()
		if wanted, ok := parse(element, text); !ok {
			return &parseError{text: text, wanted: wanted}
		}
		value.Set(reflect.Append(value, element))
	}
	if !list && value.Len() == 0 && whole != "" {
		return &parseError{text: whole, wanted: "a list with anything in it"}
	}
	return nil
}

// formatValue is the inverse of parseInto for a single text.
func formatValue(value reflect.Value) string {
	if marshaler, ok := value.Interface().(encoding.TextMarshaler); ok {
		text, err := marshaler.MarshalText()
		if err == nil {
			return string(text)
		}
	}
	if value.Kind() == reflect.Slice {
		elements := make([]string, value.Len())
		for i := range elements {
			elements[i] = formatValue(value.Index(i))
		}
		return strings.Join(elements, ",")
	}
	return fmt.Sprint(value.Interface())
}

// typeName is how the reference names a type.
func typeName(declared reflect.Type) string {
	switch {
	case declared == durationType:
		return "duration"
	case declared == byteSizeType:
		return "size"
	case reflect.PointerTo(declared).Implements(textUnmarshaler):
		return strings.ToLower(declared.Name())
	case declared.Kind() == reflect.Slice:
		return "list of " + typeName(declared.Elem())
	}
	switch declared.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.Float64:
		return "number"
	case reflect.String:
		return "string"
	}
	return "integer"
}

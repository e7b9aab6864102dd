package obs

import (
	"encoding"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"

	"google.golang.org/protobuf/proto"
)

// redacted stands where a secret would have been.
const redacted = "[redacted]"

var (
	// sensitiveWords make a key sensitive wherever they stand in it.
	sensitiveWords = wordSet("password passwd passphrase secret secrets token tokens authorization cookie cookies " +
		"credential credentials bearer jwt otp body payload apikey dsn")
	// harmlessEnds are last words that say something about a secret without being one: token_id, body_bytes.
	harmlessEnds = wordSet("id count total type kind bytes size length seconds duration expiry time")
	// keyKinds make a key that ends in "key" sensitive: private_key is, idempotency_key is not.
	keyKinds = wordSet("api private signing encryption access master")
	// codeKinds make a key that ends in "code" harmless: status_code is, code and reset_code are not.
	codeKinds = wordSet("status error exit rpc grpc http response reason sqlstate language country")
)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		set[word] = true
	}
	return set
}

// knownKeys remembers verdicts: keys are few, and logging is on the way of every request. It is bounded, because a key
// may come from outside.
var (
	knownKeys      sync.Map
	knownKeyCount  atomic.Int64
	knownKeysLimit = int64(2048)
)

// IsSensitiveKey reports whether a value under this name must not be shown. Words are told apart by "_", "-", ".",
// spaces and capitals: password, refreshToken, Set-Cookie, code.
func IsSensitiveKey(key string) bool {
	if known, ok := knownKeys.Load(key); ok {
		return known.(bool)
	}
	verdict := judgeKey(splitWords(key))
	if knownKeyCount.Load() < knownKeysLimit {
		knownKeyCount.Add(1)
		knownKeys.Store(strings.Clone(key), verdict)
	}
	return verdict
}

func judgeKey(words []string) bool {
	if len(words) == 0 {
		return false
	}
	last, before := words[len(words)-1], ""
	if len(words) > 1 {
		before = words[len(words)-2]
	}
	switch last {
	case "code", "codes":
		return !codeKinds[before]
	case "key", "keys":
		if keyKinds[before] {
			return true
		}
	}
	if len(words) > 1 && harmlessEnds[last] {
		return false
	}
	for _, word := range words {
		if sensitiveWords[word] {
			return true
		}
	}
	return false
}

// splitWords cuts a name into its words in lower case.
func splitWords(name string) []string {
	var words []string
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	previousLower := false
	for _, letter := range name {
		if !unicode.IsLetter(letter) && !unicode.IsDigit(letter) {
			end()
			previousLower = false
			continue
		}
		if unicode.IsUpper(letter) && previousLower {
			end()
		}
		word.WriteRune(unicode.ToLower(letter))
		previousLower = !unicode.IsUpper(letter)
	}
	end()
	return words
}

// redactRecord returns record without secrets. Most records have none, so a new one is made only when it must be.
func redactRecord(record slog.Record, within bool) slog.Record {
	clean := !mayHoldCredentials(record.Message)
	if clean {
		record.Attrs(func(attr slog.Attr) bool {
			_, changed := redactAttr(attr, within)
			clean = !changed
			return clean
		})
	}
	if clean {
		return record
	}
	redactedRecord := slog.NewRecord(record.Time, record.Level, scrubText(record.Message), record.PC)
	record.Attrs(func(attr slog.Attr) bool {
		attr, _ = redactAttr(attr, within)
		redactedRecord.AddAttrs(attr)
		return true
	})
	return redactedRecord
}

// redactAttrs is redactAttr for a list.
func redactAttrs(attrs []slog.Attr, within bool) []slog.Attr {
	clean := make([]slog.Attr, len(attrs))
	for i, attr := range attrs {
		clean[i], _ = redactAttr(attr, within)
	}
	return clean
}

// redactAttr returns attr without secrets and whether it had to be changed. Within says that it stands in a group
// whose own name is sensitive.
func redactAttr(attr slog.Attr, within bool) (slog.Attr, bool) {
	resolved := attr.Value.Kind() == slog.KindLogValuer
	if resolved {
		attr.Value = attr.Value.Resolve()
	}
	kind := attr.Value.Kind()
	if kind == slog.KindBool {
		return attr, resolved
	}
	sensitive := within || IsSensitiveKey(attr.Key)
	if kind == slog.KindGroup {
		for _, inner := range attr.Value.Group() {
			if _, changed := redactAttr(inner, sensitive); changed {
				attr.Value = slog.GroupValue(redactAttrs(attr.Value.Group(), sensitive)...)
				return attr, true
			}
		}
		return attr, resolved
	}
	if sensitive {
		return slog.String(attr.Key, redacted), true
	}
	switch kind {
	case slog.KindString:
		if text := attr.Value.String(); mayHoldCredentials(text) {
			return slog.String(attr.Key, scrubText(text)), true
		}
	case slog.KindAny:
		attr.Value = closeAny(attr.Value.Any())
		return attr, true
	}
	return attr, resolved
}

// closeAny keeps values whose text is meant for people and names the type of all others: a struct printed field by
// field, or bytes, may hold anything.
func closeAny(value any) slog.Value {
	switch known := value.(type) {
	case nil:
		return slog.AnyValue(nil)
	case error:
		return slog.StringValue(scrubText(known.Error()))
	case []byte:
		return slog.StringValue(fmt.Sprintf("[%d bytes]", len(known)))
	case *slog.Source:
		return slog.AnyValue(known)
	case fmt.Stringer:
		// Generated messages are Stringers that print every field.
		if _, message := value.(proto.Message); !message {
			return slog.StringValue(scrubText(known.String()))
		}
	case encoding.TextMarshaler:
		if text, err := known.MarshalText(); err == nil {
			return slog.StringValue(scrubText(string(text)))
		}
	case []string:
		texts := make([]string, len(known))
		for i, text := range known {
			texts[i] = scrubText(text)
		}
		return slog.AnyValue(texts)
	}
	switch kind := reflect.TypeOf(value).Kind(); kind {
	case reflect.String:
		return slog.StringValue(scrubText(reflect.ValueOf(value).String()))
	case reflect.Struct, reflect.Pointer, reflect.Map, reflect.Slice, reflect.Array, reflect.Interface, reflect.Func,
		reflect.Chan, reflect.UnsafePointer:
		return slog.StringValue(fmt.Sprintf("[%T]", value))
	}
	return slog.AnyValue(value)
}

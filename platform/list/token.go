package list

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

const (
	fingerprintLength = 16
	maxTokenLength    = 4096
	// tokenVersion begins what is hashed: a change of the token's form makes older ones invalid, not misread.
	tokenVersion = "braid page token 1"
)

var errTokenInvalid = errs.New(errs.InvalidArgument, "PAGE_TOKEN_INVALID", "The page token was not made for this list, filter and order.").
	WithViolation(errs.Violation{Field: "pageToken", Rule: "page_token.invalid", Message: "was not made for this list, filter and order"})

// fingerprint stands for everything that must be the same on every page.
func (s Spec) fingerprint(request Request) []byte {
	hash := sha256.New()
	for _, part := range append([]string{tokenVersion, s.Name, request.Filter, request.OrderBy}, request.Binding...) {
		// Lengths keep ("ab", "c") apart from ("a", "bc").
		_, _ = hash.Write(binary.AppendUvarint(nil, uint64(len(part))))
		_, _ = hash.Write([]byte(part))
	}
	return hash.Sum(nil)
}

// checksum covers the values too: one that was altered is refused, not followed. It is no signature, because a token
// gives nothing that its bearer could not ask for: the statement's own conditions hold on every page.
func (q *Query) checksum(values []byte) []byte {
	sum := sha256.Sum256(append(bytes.Clone(q.fingerprint), values...))
	return sum[:fingerprintLength]
}

// token encodes the keyset: a checksum and a JSON list with one text per order, null for none.
func (q *Query) token(keyset []any) string {
	texts := make([]*string, len(keyset))
	for i, value := range keyset {
		if value != nil {
			text := formatValue(value)
			texts[i] = &text
		}
	}
	// A list of texts always encodes.
	values, _ := json.Marshal(texts)
	return base64.RawURLEncoding.EncodeToString(append(q.checksum(values), values...))
}

func formatValue(value any) string {
	switch typed := value.(type) {
	case int64:
		return strconv.FormatInt(typed, 10)
	case time.Time:
		return typed.UTC().Format(time.RFC3339Nano)
	case id.ID:
		return typed.String()
	default:
		return typed.(string)
	}
}

// parseToken reads a token back; whatever is wrong with it, the answer is the same.
func (q *Query) parseToken(token string) ([]any, error) {
	if len(token) > maxTokenLength {
		return nil, errTokenInvalid
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(decoded) < fingerprintLength || strings.ContainsAny(token, "\r\n") {
		return nil, errTokenInvalid
	}
	values := decoded[fingerprintLength:]
	if !bytes.Equal(decoded[:fingerprintLength], q.checksum(values)) {
		return nil, errTokenInvalid
	}
	var texts []*string
	if err := json.Unmarshal(values, &texts); err != nil || len(texts) != len(q.orders) {
		return nil, errTokenInvalid
	}
	keyset := make([]any, len(texts))
	for i, text := range texts {
		value, ok := q.orders[i].parseValue(text)
		if !ok {
			return nil, errTokenInvalid
		}
		keyset[i] = value
	}
	return keyset, nil
}

// parseValue takes nothing that PostgreSQL would choke on: anybody can compute the checksum.
func (s sorting) parseValue(text *string) (any, bool) {
	if text == nil {
		return nil, s.fits(nil)
	}
	switch s.Type {
	case Int:
		value, err := strconv.ParseInt(*text, 10, 64)
		return value, err == nil
	case Time:
		value, ok := parseTime(*text)
		return value, ok
	case ID:
		value, err := id.Parse(*text)
		return value, err == nil && !value.IsZero()
	default:
		return *text, storable(*text)
	}
}

// parseTime reads an RFC 3339 time that a database can hold.
func parseTime(text string) (time.Time, bool) {
	value, err := time.Parse(time.RFC3339Nano, text)
	value = value.UTC()
	return value, err == nil && value.Year() >= 1 && value.Year() <= 9999
}

func storable(text string) bool { return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0 }

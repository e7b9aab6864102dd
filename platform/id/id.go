// Package id makes and reads Braid's identifiers: UUID version 7 (RFC 9562), which sort by the time they were made.
// It knows nothing of what an identifier names.
package id

import (
	"encoding/hex"
	"errors"

	"github.com/google/uuid"
)

// ID is a UUID. The zero value means "none" and is never stored as a key.
type ID uuid.UUID

// textLength is the length of the canonical form.
const textLength = 36

// ErrInvalid says that a text is not the canonical form of a UUID.
var ErrInvalid = errors.New("not a UUID")

// New returns a fresh version 7 identifier. It panics only when the system has no randomness left,
// a state in which no key may be handed out.
func New() ID { return ID(uuid.Must(uuid.NewV7())) }

// Parse reads the canonical 36-character form (RFC 9562 section 4). The looser forms that uuid.Parse takes
// (braces, urn:uuid:, no hyphens) are refused, so that one identifier has one spelling.
func Parse(text string) (ID, error) {
	if len(text) != textLength {
		return ID{}, ErrInvalid
	}
	parsed, err := uuid.Parse(text)
	if err != nil {
		return ID{}, ErrInvalid
	}
	return ID(parsed), nil
}

// ParseOrZero is Parse for what validation has let through: what is none all the same is the zero value, which names
// nothing.
func ParseOrZero(text string) ID {
	parsed, _ := Parse(text)
	return parsed
}

// MustParse is Parse for constants in tests.
func MustParse(text string) ID {
	parsed, err := Parse(text)
	if err != nil {
		panic("id: " + text + ": " + err.Error())
	}
	return parsed
}

// IsZero reports whether the identifier names nothing.
func (i ID) IsZero() bool { return i == ID{} }

// String returns the canonical form, or "" for the zero value, so that "none" never looks like a key.
func (i ID) String() string {
	var buffer [textLength]byte
	text, _ := i.AppendText(buffer[:0]) // it has no error to return
	return string(text)
}

// AppendText implements encoding.TextAppender.
func (i ID) AppendText(dst []byte) ([]byte, error) {
	if i.IsZero() {
		return dst, nil
	}
	for at, part := range [...][]byte{i[:4], i[4:6], i[6:8], i[8:10], i[10:]} {
		if at > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return dst, nil
}

// MarshalText implements encoding.TextMarshaler.
func (i ID) MarshalText() ([]byte, error) { return i.AppendText(make([]byte, 0, textLength)) }

// UnmarshalText implements encoding.TextUnmarshaler; the empty text is the zero value.
func (i *ID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*i = ID{}
		return nil
	}
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*i = parsed
	return nil
}

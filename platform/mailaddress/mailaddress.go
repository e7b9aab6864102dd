// Package mailaddress says which e-mail addresses mail can be sent to. It is asked where an address comes in and where a
// mail goes out: were the two to differ, a person could wait for a mail that is never sent. Whether anybody reads an
// address only a mail can prove.
package mailaddress

import (
	"net/mail"
	"strings"

	"github.com/braidhq/braid/platform/errs"
)

// The limits of RFC 5321, sections 4.5.3.1.1 and 4.5.3.1.3 (a path of 256 has two brackets).
const (
	maxLength      = 254
	maxLocalLength = 64
)

// Valid reports whether a text is one address of RFC 5321 and nothing more: in its plain spelling, without a name,
// comments or quotes, in ASCII as every mail server takes it.
func Valid(text string) bool {
	if len(text) > maxLength || strings.LastIndexByte(text, '@') > maxLocalLength || strings.ContainsFunc(text, unprintable) {
		return false
	}
	parsed, err := mail.ParseAddress("<" + text + ">")
	return err == nil && parsed.Address == text
}

func unprintable(char rune) bool { return char <= ' ' || char > '~' }

// Check refuses an address that is not valid; field is how the caller spells the field that holds it.
func Check(field, text string) error {
	if !Valid(text) {
		return errs.Invalid(field, "string.email", "must be an address that mail can be sent to (RFC 5321)")
	}
	return nil
}

// Package mail writes the mails people get: what they say, as text and as HTML, and their form on the wire. It knows
// nothing of how they are sent, and takes every name and title for the hostile text it may be.
package mail

import (
	"fmt"
	"io"
	netmail "net/mail"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/mailaddress"
)

// headerCorrelationID lets whoever looks into a mail find the work that caused it.
const headerCorrelationID = gomail.Header("X-Correlation-ID")

// maxLine bounds what a name or title may take of a line.
const maxLine = 300

// Content is what a mail says.
type Content struct {
	Subject string
	Text    string
	HTML    string
}

// Message is one mail to one person, ready to be sent.
type Message struct {
	Content
	// DeliveryID makes the Message-ID: the same in every try, so that a mail that arrives twice is seen to be one.
	DeliveryID    id.ID
	CorrelationID string
	From          netmail.Address
	// To is the address alone when the recipient's name is not known or not to be trusted.
	To   netmail.Address
	Time time.Time
}

// WriteTo writes the message in its form on the wire (RFC 5322): text and HTML as alternatives, UTF-8, lines in CRLF.
func (m Message) WriteTo(writer io.Writer) (int64, error) {
	encoded := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingQP))
	if !mailaddress.Valid(m.From.Address) || !mailaddress.Valid(m.To.Address) {
		return 0, ErrAddress
	}
	encoded.FromMailAddress(&netmail.Address{Name: displayName(m.From.Name), Address: m.From.Address})
	encoded.ToMailAddress(&netmail.Address{Name: displayName(m.To.Name), Address: m.To.Address})
	encoded.Subject(line(m.Subject))
	encoded.SetDateWithValue(m.Time)
	encoded.SetMessageIDWithValue(m.messageID())
	if m.CorrelationID != "" {
		encoded.SetGenHeader(headerCorrelationID, line(m.CorrelationID))
	}
	// Programs that answer mails by themselves leave such a mail alone (RFC 3834).
	encoded.SetGenHeader("Auto-Submitted", "auto-generated")
	encoded.SetBodyString(gomail.TypeTextPlain, m.Text)
	encoded.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	written, err := encoded.WriteTo(writer)
	if err != nil {
		return written, fmt.Errorf("write mail: %w", err)
	}
	return written, nil
}

func (m Message) messageID() string {
	_, domain, _ := strings.Cut(m.From.Address, "@")
	return m.DeliveryID.String() + "@" + domain
}

// displayName is a name as it may stand before an address. The standard library leaves a backslash as it is in an encoded
// word, where no reader expects one.
func displayName(name string) string { return line(strings.ReplaceAll(name, `\`, " ")) }

// line makes a text fit one line, and cuts what is too long. A name can then add neither a header nor a line of its own to a
// mail.
func line(text string) string {
	text = unbroken(text)
	if runes := []rune(text); len(runes) > maxLine {
		return string(runes[:maxLine-1]) + "…"
	}
	return text
}

// unbroken makes a space of what would end a line, or reorder it on the screen.
func unbroken(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029', r == unicode.ReplacementChar:
			return ' '
		default:
			return r
		}
	}, strings.ToValidUTF8(text, " "))
	return strings.Join(strings.Fields(text), " ")
}

package mailbox

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"time"
	"unicode"

	"github.com/braidhq/braid/platform/id"
)

const maxParts = 20

// Message is a caught mail as the pages show it.
type Message struct {
	ID          id.ID     `json:"id"`
	ReceiveTime time.Time `json:"receiveTime"`
	From        string    `json:"from"`
	// To are the addresses it was sent to, without names.
	To      []string `json:"to"`
	Subject string   `json:"subject"`
	Text    string   `json:"text"`
	HTML    string   `json:"html"`
	// Headers are the mail's own, decoded, under camelCase names: "messageId", "xCorrelationId".
	Headers map[string]string `json:"headers"`
}

// sentTo reports whether the mail went to an address, in any case; every mail did when it is empty.
func (m Message) sentTo(address string) bool {
	if address == "" {
		return true
	}
	for _, to := range m.To {
		if strings.EqualFold(to, address) {
			return true
		}
	}
	return false
}

// read takes a mail apart. What can't be read is shown as it is: a mailbox for development must show broken mails, too.
func read(messageID id.ID, received time.Time, mail caught) Message {
	message := Message{ID: messageID, ReceiveTime: received, From: mail.From, To: mail.To, Headers: map[string]string{}}
	parsed, err := netmail.ReadMessage(bytes.NewReader(mail.Raw))
	if err != nil {
		message.Text = string(mail.Raw)
		return message
	}
	decoder := &mime.WordDecoder{}
	for name, values := range parsed.Header {
		value := strings.Join(values, ", ")
		if decoded, err := decoder.DecodeHeader(value); err == nil {
			value = decoded
		}
		message.Headers[camelCase(name)] = value
	}
	message.Subject = message.Headers["subject"]
	if from := message.Headers["from"]; from != "" {
		message.From = from
	}
	message.readBody(parsed.Header.Get("Content-Type"), parsed.Header.Get("Content-Transfer-Encoding"), parsed.Body)
	return message
}

// readBody reads a part without parts, or the first text and the first HTML among its parts.
func (m *Message) readBody(contentType, encoding string, body io.Reader) {
	mediaType, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		mediaType = "text/plain"
	}
	if strings.HasPrefix(mediaType, "multipart/") {
		// Raw parts, so that each is decoded here and once.
		parts := multipart.NewReader(body, parameters["boundary"])
		for range maxParts {
			part, err := parts.NextRawPart()
			if err != nil {
				return
			}
			m.readBody(part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), part)
		}
		return
	}
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	// What was read before an error is shown.
	content, _ := io.ReadAll(body)
	text := strings.ReplaceAll(string(content), "\r\n", "\n")
	switch {
	case mediaType == "text/html" && m.HTML == "":
		m.HTML = text
	case mediaType == "text/plain" && m.Text == "":
		m.Text = text
	}
}

// camelCase turns "Message-Id" into "messageId".
func camelCase(header string) string {
	var name strings.Builder
	for i, word := range strings.Split(strings.ToLower(header), "-") {
		for j, letter := range word {
			if i > 0 && j == 0 {
				letter = unicode.ToUpper(letter)
			}
			name.WriteRune(letter)
		}
	}
	return name.String()
}

package mailbox

import (
	"context"
	"crypto/subtle"
	"io"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"
)

var errNotKept = &gosmtp.SMTPError{Code: 451, EnhancedCode: gosmtp.EnhancedCode{4, 3, 0}, Message: "The mail could not be kept"}

// NewSession implements the library's Backend: one session per connection.
func (m *Mailbox) NewSession(*gosmtp.Conn) (gosmtp.Session, error) {
	return &session{mailbox: m}, nil
}

// session is one connection. It takes mails only after the login.
type session struct {
	mailbox       *Mailbox
	authenticated bool
	mail          caught
}

// AuthMechanisms implements smtp.AuthSession.
func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

// Auth implements smtp.AuthSession.
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, name, password string) error {
		nameOK := subtle.ConstantTimeCompare([]byte(name), []byte(username))
		passwordOK := subtle.ConstantTimeCompare([]byte(password), []byte(s.mailbox.password))
		if nameOK&passwordOK != 1 {
			return gosmtp.ErrAuthFailed
		}
		s.authenticated = true
		return nil
	}), nil
}

// Mail implements smtp.Session.
func (s *session) Mail(from string, _ *gosmtp.MailOptions) error {
	if !s.authenticated {
		return gosmtp.ErrAuthRequired
	}
	s.mail = caught{From: from}
	return nil
}

// Rcpt implements smtp.Session.
func (s *session) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	s.mail.To = append(s.mail.To, to)
	return nil
}

// Data implements smtp.Session. The library ends the reading at the largest message.
func (s *session) Data(reader io.Reader) error {
	raw, err := io.ReadAll(reader)
	if err != nil {
		return err
	}
	s.mail.Raw = raw
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if err := s.mailbox.keep(ctx, s.mail); err != nil {
		s.mailbox.config.Logger.WarnContext(ctx, "caught mail not kept", "cause", err.Error())
		return errNotKept
	}
	return nil
}

// Reset implements smtp.Session.
func (s *session) Reset() { s.mail = caught{} }

// Logout implements smtp.Session.
func (s *session) Logout() error { return nil }

package smtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"github.com/braidhq/braid/services/notification/internal/mail"
)

var (
	errNoStartTLS = errors.New("the mail server offers no STARTTLS; to do without, say ?tls=none")
	errNoAuth     = errors.New("the mail server offers no login that is known here: PLAIN or LOGIN")
)

// Config is what a Sender is made of.
type Config struct {
	// Target says where to send; it is asked for each mail, because an embedded server's place is known only once it
	// has started.
	Target func() Target
	// HELO is the name this machine introduces itself by.
	HELO string
	// Timeout bounds one mail from the connection to the server's last word.
	Timeout time.Duration
	// RootCAs are whom to trust about the server's name; the system's when nil.
	RootCAs *x509.CertPool
}

// Sender hands mails to a mail server.
type Sender struct{ config Config }

// NewSender returns a sender.
func NewSender(config Config) *Sender { return &Sender{config} }

// Send hands over one mail. Nil means that the server has taken it; what goes wrong after that is not reported, because
// the mail would be sent again. Every error is a *Failure, or mail.ErrAddress.
func (s *Sender) Send(ctx context.Context, message mail.Message) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	target := s.config.Target()
	connection, err := s.connect(ctx, target)
	if err != nil {
		return failed(stepConnect, err)
	}
	defer func() { _ = connection.Close() }()
	deadline, _ := ctx.Deadline()
	_ = connection.SetDeadline(deadline)
	// A context that ends early, such as when the process stops, ends the conversation.
	defer context.AfterFunc(ctx, func() { _ = connection.Close() })()

	client, err := smtp.NewClient(connection, target.Host)
	if err != nil {
		return failed(stepConnect, err)
	}
	if err := s.introduce(client, target); err != nil {
		return err
	}
	if err := handOver(client, message); err != nil {
		return err
	}
	// The mail is the server's now, whatever it answers to the farewell.
	_ = client.Quit()
	return nil
}

func (s *Sender) connect(ctx context.Context, target Target) (net.Conn, error) {
	dialer := &net.Dialer{}
	if target.Security == TLS {
		return (&tls.Dialer{NetDialer: dialer, Config: s.tlsConfig(target)}).DialContext(ctx, "tcp", target.Address())
	}
	return dialer.DialContext(ctx, "tcp", target.Address())
}

func (s *Sender) tlsConfig(target Target) *tls.Config {
	return &tls.Config{ServerName: target.Host, RootCAs: s.config.RootCAs, MinVersion: tls.VersionTLS12}
}

// introduce says who is here, makes the connection private and logs in.
func (s *Sender) introduce(client *smtp.Client, target Target) error {
	if err := client.Hello(s.config.HELO); err != nil {
		return failed(stepHello, err)
	}
	if target.Security == StartTLS {
		if offered, _ := client.Extension("STARTTLS"); !offered {
			return failed(stepTLS, errNoStartTLS)
		}
		if err := client.StartTLS(s.tlsConfig(target)); err != nil {
			return failed(stepTLS, err)
		}
	}
	if target.Username == "" {
		return nil
	}
	_, offered := client.Extension("AUTH")
	mechanisms := strings.Fields(strings.ToUpper(offered))
	// A password goes over an open line only where the configuration says that the line may be open.
	open := target.Security == Plain
	var login smtp.Auth
	switch {
	case slices.Contains(mechanisms, "PLAIN"):
		login = smtp.PlainAuth("", target.Username, target.Password, target.Host, open)
	case slices.Contains(mechanisms, "LOGIN"):
		login = smtp.LoginAuth(target.Username, target.Password, target.Host, open)
	default:
		return failed(stepAuth, errNoAuth)
	}
	if err := client.Auth(login); err != nil {
		return failed(stepAuth, err)
	}
	return nil
}

func handOver(client *smtp.Client, message mail.Message) error {
	if err := client.Mail("<" + message.From.Address + ">"); err != nil {
		return failed(stepMail, err)
	}
	if err := checkRecipient(message.To.Address); err != nil {
		return err
	}
	if err := client.Rcpt("<" + message.To.Address + ">"); err != nil {
		return failed(stepRcpt, err)
	}
	writer, err := client.Data()
	if err != nil {
		return failed(stepData, err)
	}
	if _, err := message.WriteTo(writer); err != nil {
		// Without the closing dot the server takes nothing.
		if errors.Is(err, mail.ErrAddress) {
			return err
		}
		return failed(stepData, err)
	}
	if err := writer.Close(); err != nil {
		return failed(stepData, err)
	}
	return nil
}

// checkRecipient refuses an address that could end its command. The library refuses line breaks as well; brackets and
// spaces are what it lets through.
func checkRecipient(address string) error {
	if address == "" || strings.ContainsAny(address, "<> \t\r\n\x00") {
		return fmt.Errorf("check recipient: %w", mail.ErrAddress)
	}
	return nil
}

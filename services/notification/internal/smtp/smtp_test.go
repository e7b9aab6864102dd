package smtp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	netmail "net/mail"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/notification/internal/mail"
	"github.com/braidhq/braid/services/notification/internal/smtp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a mail server that answers as a test wants.
type server struct {
	target smtp.Target
	roots  *x509.CertPool

	mu       sync.Mutex
	mails    []string
	from, to []string
	// fail answers a step: "AUTH", "MAIL", "RCPT" or "DATA"; nil lets it pass. "HANGUP" closes the connection in the
	// middle of DATA.
	fail map[string]error
}

type option func(*gosmtp.Server, *server)

func withoutTLS(library *gosmtp.Server, s *server) {
	library.TLSConfig = nil
	library.AllowInsecureAuth = true
	s.target.Security = smtp.Plain
}

func start(t *testing.T, implicit bool, options ...option) *server {
	t.Helper()
	certificate, roots := newCertificate(t)
	s := &server{roots: roots, fail: map[string]error{}, target: smtp.Target{Host: "127.0.0.1", Security: smtp.StartTLS, Username: "braid", Password: "secret"}}
	library := gosmtp.NewServer(s)
	library.Domain = "localhost"
	library.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	library.ErrorLog = log.New(io.Discard, "", 0)
	for _, apply := range options {
		apply(library, s)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.target.Port = listener.Addr().(*net.TCPAddr).Port
	if implicit {
		listener = tls.NewListener(listener, library.TLSConfig)
		s.target.Security = smtp.TLS
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = library.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = library.Shutdown(ctx)
		<-done
	})
	return s
}

func newCertificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	encoded, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(encoded)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{encoded}, PrivateKey: key}, roots
}

func (s *server) sender() *smtp.Sender {
	return smtp.NewSender(smtp.Config{
		Target: func() smtp.Target { return s.target }, HELO: "test", Timeout: 5 * time.Second, RootCAs: s.roots,
	})
}

func (s *server) answer(step string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fail[step]
}

func (s *server) setAnswer(step string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail[step] = err
}

func (s *server) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.mails...)
}

func (s *server) senders() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.from...)
}

func (s *server) recipients() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.to...)
}

func (s *server) NewSession(connection *gosmtp.Conn) (gosmtp.Session, error) {
	return &session{s, connection}, nil
}

type session struct {
	server     *server
	connection *gosmtp.Conn
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, name, password string) error {
		if name != "braid" || password != "secret" {
			return gosmtp.ErrAuthFailed
		}
		return s.server.answer("AUTH")
	}), nil
}

func (s *session) Mail(from string, _ *gosmtp.MailOptions) error {
	s.server.mu.Lock()
	s.server.from = append(s.server.from, from)
	s.server.mu.Unlock()
	return s.server.answer("MAIL")
}

func (s *session) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	s.server.mu.Lock()
	s.server.to = append(s.server.to, to)
	s.server.mu.Unlock()
	return s.server.answer("RCPT")
}

func (s *session) Data(reader io.Reader) error {
	if s.server.answer("HANGUP") != nil {
		_ = s.connection.Conn().Close()
		return io.ErrUnexpectedEOF
	}
	content, err := io.ReadAll(reader)
	if err != nil {
		return err
	}
	if err := s.server.answer("DATA"); err != nil {
		return err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, string(content))
	return nil
}

func (*session) Reset()        {}
func (*session) Logout() error { return nil }

func newMail() mail.Message {
	return mail.Message{
		Content: mail.Content{Subject: "Hello", Text: "code: 123456\n.\nafter the dot\n", HTML: "<p>Hello</p>"}, DeliveryID: id.New(),
		From: netmail.Address{Name: "Braid", Address: "braid@example.com"}, To: netmail.Address{Address: "ben@example.org"}, Time: time.Now(),
	}
}

func TestSend(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		implicit bool
		options  []option
	}{"STARTTLS": {}, "TLS": {implicit: true}, "plain": {options: []option{withoutTLS}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mailServer := start(t, test.implicit, test.options...)
			require.NoError(t, mailServer.sender().Send(t.Context(), newMail()))
			mails := mailServer.received()
			require.Len(t, mails, 1)
			require.Contains(t, mails[0], "code: 123456")
			require.Contains(t, mails[0], "after the dot", "a line with a dot does not end the mail")
			require.Equal(t, []string{"braid@example.com"}, mailServer.senders())
			require.Equal(t, []string{"ben@example.org"}, mailServer.recipients())
		})
	}
}

func reply(code int) error {
	return &gosmtp.SMTPError{Code: code, EnhancedCode: gosmtp.EnhancedCode{code / 100, 1, 1}, Message: "about ben@example.org"}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		step      string
		code      int
		permanent bool
	}{
		"sender later":          {"MAIL", 451, false},
		"sender never":          {"MAIL", 550, true},
		"sender not logged in":  {"MAIL", 530, false},
		"recipient later":       {"RCPT", 450, false},
		"recipient never":       {"RCPT", 550, true},
		"content later":         {"DATA", 452, false},
		"content never":         {"DATA", 554, true},
		"login refused":         {"AUTH", 535, false},
		"login refused for now": {"AUTH", 454, false},
		"login never":           {"AUTH", 554, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mailServer := start(t, false)
			mailServer.setAnswer(test.step, reply(test.code))
			err := mailServer.sender().Send(t.Context(), newMail())
			var failure *smtp.Failure
			require.ErrorAs(t, err, &failure)
			require.Equal(t, test.permanent, failure.Permanent)
			require.Equal(t, test.code, failure.Code)
			require.Equal(t, test.step, failure.Step)
			require.NotContains(t, err.Error(), "example.org")
			require.Empty(t, mailServer.received())

			mailServer.setAnswer(test.step, nil)
			require.NoError(t, mailServer.sender().Send(t.Context(), newMail()))
			require.Len(t, mailServer.received(), 1)
		})
	}
}

func requireTemporary(t *testing.T, err error) {
	t.Helper()
	var failure *smtp.Failure
	require.ErrorAs(t, err, &failure)
	require.False(t, failure.Permanent)
	require.Zero(t, failure.Code)
}

func TestConnectionDropsInTheMiddle(t *testing.T) {
	t.Parallel()
	mailServer := start(t, false)
	mailServer.setAnswer("HANGUP", io.ErrUnexpectedEOF)
	requireTemporary(t, mailServer.sender().Send(t.Context(), newMail()))
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	target := smtp.Target{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, Security: smtp.Plain}
	require.NoError(t, listener.Close())
	sender := smtp.NewSender(smtp.Config{Target: func() smtp.Target { return target }, HELO: "test", Timeout: time.Second})
	requireTemporary(t, sender.Send(t.Context(), newMail()))
}

func TestAServerThatSaysNothingIsLeft(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	target := smtp.Target{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, Security: smtp.Plain}
	sender := smtp.NewSender(smtp.Config{Target: func() smtp.Target { return target }, HELO: "test", Timeout: 200 * time.Millisecond})
	started := time.Now()
	requireTemporary(t, sender.Send(t.Context(), newMail()))
	require.Less(t, time.Since(started), 5*time.Second)

	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	patient := smtp.NewSender(smtp.Config{Target: func() smtp.Target { return target }, HELO: "test", Timeout: time.Minute})
	started = time.Now()
	requireTemporary(t, patient.Send(ctx, newMail()))
	require.Less(t, time.Since(started), 30*time.Second, "an ended context ends the conversation")
}

func TestNothingIsSaidOnAnOpenLine(t *testing.T) {
	t.Parallel()
	t.Run("no STARTTLS", func(t *testing.T) {
		t.Parallel()
		mailServer := start(t, false, withoutTLS)
		mailServer.target.Security = smtp.StartTLS
		err := mailServer.sender().Send(t.Context(), newMail())
		requireTemporary(t, err)
		require.ErrorContains(t, err, "STARTTLS")
		require.Empty(t, mailServer.senders())
	})
	t.Run("unknown certificate", func(t *testing.T) {
		t.Parallel()
		mailServer := start(t, false)
		mailServer.roots = x509.NewCertPool()
		requireTemporary(t, mailServer.sender().Send(t.Context(), newMail()))
		require.Empty(t, mailServer.senders())
	})
	t.Run("another server's certificate", func(t *testing.T) {
		t.Parallel()
		mailServer := start(t, true)
		mailServer.target.Host = "localhost"
		requireTemporary(t, mailServer.sender().Send(t.Context(), newMail()))
		require.Empty(t, mailServer.senders())
	})
}

func TestAddressesThatEndTheCommand(t *testing.T) {
	t.Parallel()
	mailServer := start(t, false, withoutTLS)
	for _, address := range []string{"", "ben@example.org>\r\nRCPT TO:<all@example.org", "ben@example.org> SIZE=1", "a b@example.org"} {
		message := newMail()
		message.To.Address = address
		require.ErrorIs(t, mailServer.sender().Send(t.Context(), message), mail.ErrAddress)
	}
	require.Empty(t, mailServer.recipients())
}

func TestParseTarget(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]smtp.Target{
		"smtp://user:p%40ss@mail.example.com":      {Host: "mail.example.com", Port: 587, Security: smtp.StartTLS, Username: "user", Password: "p@ss"},
		"smtp://mail.example.com:25/?tls=none":     {Host: "mail.example.com", Port: 25, Security: smtp.Plain},
		"smtps://user:secret@mail.example.com":     {Host: "mail.example.com", Port: 465, Security: smtp.TLS, Username: "user", Password: "secret"},
		"smtps://user:secret@mail.example.com:994": {Host: "mail.example.com", Port: 994, Security: smtp.TLS, Username: "user", Password: "secret"},
		"smtp://[::1]:2525?tls=none":               {Host: "::1", Port: 2525, Security: smtp.Plain},
	} {
		target, err := smtp.ParseTarget(text)
		require.NoError(t, err, text)
		require.Equal(t, want, target)
	}
	for _, text := range []string{
		"", "mail.example.com", "http://user:secret@mail.example.com", "smtp://", "smtp://user:secret@mail.example.com/path",
		"smtps://user:secret@mail.example.com?tls=none", "smtp://user:secret@mail.example.com?tls=maybe",
		"smtp://user:secret@mail.example.com?timeout=1", "smtp://user:secret@mail.example.com:0",
		"smtp://user:secret@mail.example.com:99999", "smtp://user:secret@mail.example.com:port", "smtp:user:secret@mail.example.com",
	} {
		_, err := smtp.ParseTarget(text)
		require.Error(t, err, text)
		require.NotContains(t, err.Error(), "secret")
	}
}

// Package mailbox is the development mailbox: a mail server on the loopback that takes every mail and delivers none,
// and pages to read what it caught. It is for machines where there is no real mail server. Caught mails hold codes and
// links, so they are kept encrypted, only the newest ones, and its pages belong on the admin port alone.
package mailbox

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	gosmtp "github.com/emersion/go-smtp"
	"golang.org/x/net/netutil"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/smtp"
	"github.com/braidhq/braid/services/notification/internal/store"
)

const (
	host               = "127.0.0.1"
	username           = "braid"
	maxMessageBytes    = 1 << 20
	maxRecipients      = 10
	maxConnections     = 32
	conversationLimit  = 30 * time.Second
	storeTimeout       = 10 * time.Second
	defaultMaxMessages = 1000
)

var errNotListening = errors.New("the mailbox is not listening")

// Sealer encrypts what is kept: *secret.Keys.
type Sealer interface {
	Seal(plaintext, associatedData []byte) ([]byte, error)
	Unseal(sealed, associatedData []byte) ([]byte, error)
}

// Config is what a Mailbox is made of.
type Config struct {
	// Name is the part's name.
	Name   string
	DB     *pg.DB
	Sealer Sealer
	// MaxMessages is how many mails are kept (1000).
	MaxMessages int
	Clock       clock.Clock
	Logger      *slog.Logger
}

// Mailbox catches mails.
type Mailbox struct {
	config   Config
	password string
	server   *gosmtp.Server

	mu       sync.Mutex
	listener net.Listener
}

// New returns a mailbox that is not listening yet. The password of its server is made here and known to this process
// only: no other process of the machine can put mails in.
func New(config Config) *Mailbox {
	if config.MaxMessages <= 0 {
		config.MaxMessages = defaultMaxMessages
	}
	mailbox := &Mailbox{config: config, password: rand.Text()}
	server := gosmtp.NewServer(mailbox)
	server.Domain = host
	server.AllowInsecureAuth = true // the loopback and a password made for this process
	server.MaxMessageBytes = maxMessageBytes
	server.MaxRecipients = maxRecipients
	server.ReadTimeout = conversationLimit
	server.WriteTimeout = conversationLimit
	server.ErrorLog = serverLog{config.Logger}
	mailbox.server = server
	return mailbox
}

// Part returns the server as a part of the process: it listens on a port that the system chooses.
func (m *Mailbox) Part() module.Part {
	return module.Part{Name: m.config.Name, Start: m.start, Run: m.run, Ready: m.ready, Stop: m.stop}
}

// Target is where to send mails that are to be caught. Before the mailbox listens it is a place that nobody serves.
func (m *Mailbox) Target() smtp.Target {
	target := smtp.Target{Host: host, Port: 1, Security: smtp.Plain, Username: username, Password: m.password}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listener != nil {
		target.Port = m.listener.Addr().(*net.TCPAddr).Port
	}
	return target
}

func (m *Mailbox) start(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return fmt.Errorf("listen for caught mails: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.listener = listener
	return nil
}

func (m *Mailbox) run(ctx context.Context) error {
	m.mu.Lock()
	listener := m.listener
	m.mu.Unlock()
	if listener == nil {
		return errNotListening
	}
	defer context.AfterFunc(ctx, func() { _ = m.server.Close() })()
	if err := m.server.Serve(netutil.LimitListener(listener, maxConnections)); err != nil && ctx.Err() == nil {
		return fmt.Errorf("catch mails: %w", err)
	}
	return nil
}

func (m *Mailbox) ready() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listener == nil {
		return errNotListening
	}
	return nil
}

// stop closes connections and the listener, also when Run never began.
func (m *Mailbox) stop(context.Context) error {
	if err := m.server.Close(); err != nil && !errors.Is(err, gosmtp.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("stop catching mails: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listener != nil {
		_ = m.listener.Close()
	}
	return nil
}

// caught is a mail as it is kept, before it is sealed.
type caught struct {
	From string   `json:"from"`
	To   []string `json:"to"`
	Raw  []byte   `json:"raw"`
}

// keep stores a mail; only then does the server say that it has it.
func (m *Mailbox) keep(ctx context.Context, mail caught) error {
	encoded, err := json.Marshal(mail)
	if err != nil {
		return fmt.Errorf("encode caught mail: %w", err)
	}
	messageID := id.New()
	// Bound to its row, the text can't be passed off as another mail.
	sealed, err := m.config.Sealer.Seal(encoded, messageID[:])
	if err != nil {
		return fmt.Errorf("seal caught mail: %w", err)
	}
	return m.config.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		message := store.MailboxMessage{ID: messageID, ReceiveTime: m.config.Clock.Now(), Content: sealed}
		return store.InsertMailboxMessage(ctx, tx, message, m.config.MaxMessages)
	})
}

// List returns the newest mails, at most limit, for one address only when to is not empty.
func (m *Mailbox) List(ctx context.Context, to string, limit int) ([]Message, error) {
	rows, err := store.ListMailboxMessages(ctx, m.config.DB.WorkerRead(), m.config.MaxMessages)
	if err != nil {
		return nil, err
	}
	messages := []Message{}
	for _, row := range rows {
		if len(messages) == limit {
			break
		}
		message, err := m.open(row)
		if err != nil {
			return nil, err
		}
		if message.sentTo(to) {
			messages = append(messages, message)
		}
	}
	return messages, nil
}

// Get returns one mail; found is false when there is none.
func (m *Mailbox) Get(ctx context.Context, messageID id.ID) (message Message, found bool, err error) {
	row, found, err := store.GetMailboxMessage(ctx, m.config.DB.WorkerRead(), messageID)
	if err != nil || !found {
		return Message{}, false, err
	}
	message, err = m.open(row)
	return message, err == nil, err
}

func (m *Mailbox) open(row store.MailboxMessage) (Message, error) {
	encoded, err := m.config.Sealer.Unseal(row.Content, row.ID[:])
	if err != nil {
		return Message{}, fmt.Errorf("open caught mail: %w", err)
	}
	var mail caught
	if err := json.Unmarshal(encoded, &mail); err != nil {
		return Message{}, fmt.Errorf("decode caught mail: %w", err)
	}
	return read(row.ID, row.ReceiveTime, mail), nil
}

// serverLog takes the lines of the mail server's library. They may quote what a client sent, so only that there was
// one is told.
type serverLog struct{ logger *slog.Logger }

// Printf implements smtp.Logger.
func (l serverLog) Printf(format string, _ ...any) { l.Println(format) }

// Println implements smtp.Logger.
func (l serverLog) Println(values ...any) {
	what := "trouble"
	if format, ok := values[0].(string); ok {
		what, _, _ = strings.Cut(format, "%")
	}
	l.logger.Debug("the mailbox's server had a line to log", slog.String("line", what))
}

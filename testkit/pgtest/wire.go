package pgtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// Statement is one statement that was executed.
type Statement struct {
	// Database is where, Role what its session was opened as: pg.AppRole for requests, pg.WorkerRole for what goes on
	// behind them.
	Database, Role string
	SQL            string
}

// Wire sits between a service and its database and notes every statement that is executed: what an attacker could
// measure is counted by it, and not timed.
type Wire struct {
	listener net.Listener
	network  string
	address  string
	group    sync.WaitGroup

	mu         sync.Mutex
	closed     bool
	open       map[net.Conn]bool
	statements []Statement
}

// Tap puts a wire before the server that a connection string leads to, and returns it with the string that leads
// through it. It must be that of a server on this machine, without TLS. The wire is cut when the test ends.
func Tap(t testing.TB, databaseURL string) (*Wire, string) {
	t.Helper()
	target, err := pgx.ParseConfig(databaseURL)
	require.NoError(t, err)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	wire := &Wire{
		listener: listener, network: "tcp", address: net.JoinHostPort(target.Host, strconv.Itoa(int(target.Port))),
		open: map[net.Conn]bool{},
	}
	if strings.HasPrefix(target.Host, "/") {
		wire.network, wire.address = "unix", fmt.Sprintf("%s/.s.PGSQL.%d", target.Host, target.Port)
	}
	wire.group.Go(wire.accept)
	t.Cleanup(wire.cut)
	through := url.URL{
		Scheme: "postgres", User: url.UserPassword(target.User, target.Password), Host: listener.Addr().String(),
		Path: "/" + target.Database, RawQuery: "sslmode=disable",
	}
	return wire, through.String()
}

func (w *Wire) cut() {
	_ = w.listener.Close()
	w.mu.Lock()
	w.closed = true
	for connection := range w.open {
		_ = connection.Close()
	}
	w.mu.Unlock()
	w.group.Wait()
}

func (w *Wire) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		server, err := (&net.Dialer{}).DialContext(context.Background(), w.network, w.address)
		if err != nil {
			_ = client.Close()
			continue
		}
		if !w.adopt(client, server) {
			return
		}
		w.group.Go(func() {
			defer w.release(client)
			_, _ = io.Copy(client, server)
		})
		w.group.Go(func() {
			defer w.release(server)
			// However it ends, the other end learns of it by its connection.
			_ = w.forward(bufio.NewReader(client), bufio.NewWriter(server))
		})
	}
}

// adopt remembers connections so that cut ends them; after it, they are ended here.
func (w *Wire) adopt(connections ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, connection := range connections {
		if w.closed {
			_ = connection.Close()
			continue
		}
		w.open[connection] = true
	}
	return !w.closed
}

func (w *Wire) release(connection net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, connection)
	_ = connection.Close()
}

// session is what a connection has said so far that later messages refer to.
type session struct {
	database, role   string
	prepared, portal map[string]string
}

// forward passes on what the client says and reads along (PostgreSQL manual, "Message Formats").
func (w *Wire) forward(client *bufio.Reader, server *bufio.Writer) error {
	startup, err := copyMessage(client, server, 0)
	if err != nil {
		return err
	}
	settings := startupSettings(startup)
	current := session{
		database: settings["database"], role: settings["role"], prepared: map[string]string{}, portal: map[string]string{},
	}
	for {
		if client.Buffered() == 0 {
			if err := server.Flush(); err != nil {
				return err
			}
		}
		kind, err := client.ReadByte()
		if err != nil {
			return err
		}
		if err := server.WriteByte(kind); err != nil {
			return err
		}
		body, err := copyMessage(client, server, kind)
		if err != nil {
			return err
		}
		if sql, ok := current.read(kind, body); ok {
			w.note(Statement{Database: current.database, Role: current.role, SQL: sql})
		}
	}
}

// copyMessage passes on a message's length and body, and returns the body.
func copyMessage(client io.Reader, server io.Writer, kind byte) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(client, size[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(size[:])
	if length < 4 {
		return nil, fmt.Errorf("a message %q of %d bytes", kind, length)
	}
	body := make([]byte, length-4)
	if _, err := io.ReadFull(client, body); err != nil {
		return nil, err
	}
	_, err := server.Write(append(size[:], body...))
	return body, err
}

// startupSettings reads the names and values that follow the protocol's version.
func startupSettings(body []byte) map[string]string {
	settings := map[string]string{}
	parts := strings.Split(string(body[min(4, len(body)):]), "\x00")
	for i := 0; i+1 < len(parts); i += 2 {
		settings[parts[i]] = parts[i+1]
	}
	return settings
}

// read follows which statement a message executes, and returns it when it does.
func (s *session) read(kind byte, body []byte) (sql string, executes bool) {
	first, rest, _ := bytes.Cut(body, []byte{0})
	second, _, _ := bytes.Cut(rest, []byte{0})
	switch kind {
	case 'P': // Parse: the statement's name, its text.
		s.prepared[string(first)] = string(second)
	case 'B': // Bind: the portal's name, the statement's.
		s.portal[string(first)] = s.prepared[string(second)]
	case 'E': // Execute: the portal's name.
		return s.portal[string(first)], true
	case 'Q': // Query: the text.
		return string(first), true
	}
	return "", false
}

// note leaves out what connections do for themselves, at any time, which is nobody's work: finding out their role,
// settings of the session, signs of life.
func (w *Wire) note(executed Statement) {
	sql := executed.SQL
	if strings.Contains(sql, "pg_catalog.") || strings.HasPrefix(sql, "set default_") || sql == "-- ping" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.statements = append(w.statements, executed)
}

// During returns what is executed while work runs, by whomever.
func (w *Wire) During(work func()) []Statement {
	w.mu.Lock()
	w.statements = nil
	w.mu.Unlock()
	work()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.statements
}

package identity_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/pgtest"
)

// wire sits between identity and its database and notes every statement that is executed: what an attacker could
// measure is counted here, and not timed.
type wire struct {
	listener net.Listener
	network  string
	address  string
	group    sync.WaitGroup

	mu         sync.Mutex
	open       map[net.Conn]bool
	statements []string
}

// openWired opens the database through a wire.
func openWired(t *testing.T, database *pgtest.Database) (*wire, *pg.DB) {
	t.Helper()
	target := database.Owner.Config().ConnConfig
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	tapped := &wire{
		listener: listener, network: "tcp", address: net.JoinHostPort(target.Host, strconv.Itoa(int(target.Port))),
		open: map[net.Conn]bool{},
	}
	if strings.HasPrefix(target.Host, "/") {
		tapped.network, tapped.address = "unix", fmt.Sprintf("%s/.s.PGSQL.%d", target.Host, target.Port)
	}
	tapped.group.Go(tapped.accept)
	t.Cleanup(tapped.close)
	address := url.URL{
		Scheme: "postgres", User: url.UserPassword(target.User, target.Password), Host: listener.Addr().String(),
		Path: "/" + database.Name, RawQuery: "sslmode=disable",
	}
	db := pgtest.OpenDB(t, pg.Config{Service: "identity", URL: address.String()}, prometheus.NewRegistry())
	return tapped, db
}

func (w *wire) close() {
	_ = w.listener.Close()
	w.mu.Lock()
	for connection := range w.open {
		_ = connection.Close()
	}
	w.mu.Unlock()
	w.group.Wait()
}

func (w *wire) accept() {
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
		w.mu.Lock()
		w.open[client], w.open[server] = true, true
		w.mu.Unlock()
		w.group.Go(func() {
			defer func() { _ = client.Close() }()
			_, _ = io.Copy(client, server)
		})
		w.group.Go(func() {
			defer func() { _ = server.Close() }()
			if err := w.forward(bufio.NewReader(client), server); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				return
			}
		})
	}
}

// forward passes on what the client says and reads along (PostgreSQL manual, "Message Formats").
func (w *wire) forward(client *bufio.Reader, server io.Writer) error {
	prepared, portal := map[string]string{}, ""
	startup := true
	for {
		var kind byte
		if !startup {
			var err error
			if kind, err = client.ReadByte(); err != nil {
				return err
			}
		}
		size := make([]byte, 4)
		if _, err := io.ReadFull(client, size); err != nil {
			return err
		}
		body := make([]byte, binary.BigEndian.Uint32(size)-4)
		if _, err := io.ReadFull(client, body); err != nil {
			return err
		}
		switch kind {
		case 'P':
			name, rest, _ := bytes.Cut(body, []byte{0})
			sql, _, _ := bytes.Cut(rest, []byte{0})
			prepared[string(name)] = string(sql)
		case 'B':
			_, rest, _ := bytes.Cut(body, []byte{0})
			name, _, _ := bytes.Cut(rest, []byte{0})
			portal = prepared[string(name)]
		case 'E':
			w.note(portal)
		case 'Q':
			w.note(string(bytes.TrimRight(body, "\x00")))
		}
		message := append(size, body...)
		if !startup {
			message = append([]byte{kind}, message...)
		}
		startup = false
		if _, err := server.Write(message); err != nil {
			return err
		}
	}
}

func (w *wire) note(sql string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.statements = append(w.statements, sql)
}

// during returns the statements that work executes.
func (w *wire) during(work func()) []string {
	w.mu.Lock()
	w.statements = nil
	w.mu.Unlock()
	work()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.statements
}

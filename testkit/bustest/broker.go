// Package bustest gives tests a broker: an embedded one of their own, in a directory and on a port of their own. It also
// holds the conformance suite that every broker Braid runs on must pass. It is for tests only.
package bustest

import (
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
)

// Broker is an embedded broker that a test can stop and start again on the same address and data.
type Broker struct {
	t         testing.TB
	directory string

	mu       sync.Mutex
	embedded *bus.Embedded
	address  string
}

// New starts a broker that is stopped at the end of the test.
func New(t testing.TB) *Broker {
	t.Helper()
	return NewIn(t, t.TempDir())
}

// NewIn is New with a data directory of the test's choice.
func NewIn(t testing.TB, directory string) *Broker {
	t.Helper()
	broker := &Broker{t: t, directory: directory, address: "127.0.0.1:0"}
	broker.Start()
	t.Cleanup(broker.Stop)
	return broker
}

// Connect starts a broker and returns how to reach it, for tests that need no more.
func Connect(t testing.TB) bus.Connection {
	t.Helper()
	return New(t).Connection()
}

// Directory returns the broker's data directory.
func (b *Broker) Directory() string { return b.directory }

// Connection returns how clients reach the broker. It stays the same over restarts.
func (b *Broker) Connection() bus.Connection {
	b.mu.Lock()
	defer b.mu.Unlock()
	require.NotNil(b.t, b.embedded, "the broker is stopped")
	return b.embedded.Connection()
}

// Start starts a stopped broker where it was before.
func (b *Broker) Start() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Nil(b.t, b.embedded, "the broker runs already")
	embedded, err := bus.StartEmbedded(bus.EmbeddedConfig{Directory: b.directory, Listen: b.address}, Logger(b.t))
	require.NoError(b.t, err)
	b.embedded, b.address = embedded, embedded.Address()
}

// Stop stops the broker; stopping a stopped one does nothing.
func (b *Broker) Stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.embedded != nil {
		b.embedded.Close()
		b.embedded = nil
	}
}

// Logger writes to the test's log, which is shown when the test fails, and is silent once the test is over.
func Logger(t testing.TB) *slog.Logger {
	writer := &testWriter{t: t}
	t.Cleanup(writer.close)
	return slog.New(slog.NewTextHandler(writer, nil))
}

type testWriter struct {
	mu     sync.Mutex
	t      testing.TB
	closed bool
}

func (w *testWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.t.Log(string(line))
	}
	return len(line), nil
}

func (w *testWriter) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}

package bus_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/testkit/bustest"
)

func TestEmbeddedKeepsRecordsOffsetsAndCredentials(t *testing.T) {
	t.Parallel()
	broker := bustest.New(t)
	connection := broker.Connection()
	logger := bustest.Logger(t)
	require.NoError(t, bus.EnsureTopics(t.Context(), connection, logger, bus.Topic{Name: "kept", Partitions: 1, Retention: time.Hour}))
	producer, err := bus.NewProducer(connection, logger)
	require.NoError(t, err)
	defer producer.Close()
	send := func(from, to int) {
		var records []bus.Record
		for number := from; number < to; number++ {
			records = append(records, bus.Record{Topic: "kept", Partition: 0, Value: fmt.Append(nil, number)})
		}
		require.NoError(t, errors.Join(producer.Publish(t.Context(), records...)...))
	}
	send(0, 10)
	group, err := bus.NewGroup(connection, bus.GroupConfig{Group: "reader", Topics: []string{"kept"}, MaxRecords: 4}, logger)
	require.NoError(t, err)
	records, err := group.Poll(t.Context())
	require.NoError(t, err)
	require.Len(t, records, 4)
	group.Done()
	group.Close()

	broker.Stop()
	broker.Start()
	require.Equal(t, connection, broker.Connection(), "address and credentials stay")

	send(10, 12)
	group, err = bus.NewGroup(broker.Connection(), bus.GroupConfig{Group: "reader", Topics: []string{"kept"}}, logger)
	require.NoError(t, err)
	defer group.Close()
	var values []string
	for len(values) < 8 {
		records, err := group.Poll(t.Context())
		require.NoError(t, err)
		for _, record := range records {
			values = append(values, string(record.Value))
		}
	}
	require.Equal(t, strings.Fields("4 5 6 7 8 9 10 11"), values)
}

func TestEmbeddedRefusesStrangers(t *testing.T) {
	t.Parallel()
	connection := bustest.Connect(t)
	for name, sasl := range map[string]bus.SASL{
		"without credentials": {},
		"another password":    {Mechanism: connection.SASL.Mechanism, Username: connection.SASL.Username, Password: "guess"},
		"the usual default":   {Mechanism: connection.SASL.Mechanism, Username: "admin", Password: "admin"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stranger := connection
			stranger.SASL = sasl
			requireRefused(t, stranger)
		})
	}
}

func TestEmbeddedWritesAPrivateClientConfig(t *testing.T) {
	t.Parallel()
	broker := bustest.New(t)
	path := filepath.Join(broker.Directory(), bus.ClientConfigFile)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	read, err := bus.ReadClientConfig(broker.Directory())
	require.NoError(t, err)
	require.Equal(t, broker.Connection(), read)
	info, err = os.Stat(filepath.Join(broker.Directory(), "broker"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), info.Mode().Perm(), "records are nobody else's to read")

	// New credentials, after the file was lost, replace the ones that the broker remembers.
	old := broker.Connection()
	broker.Stop()
	require.NoError(t, os.Remove(path))
	broker.Start()
	require.NotEqual(t, old.SASL.Password, broker.Connection().SASL.Password)
	topic := bus.Topic{Name: "after", Partitions: 1}
	require.NoError(t, bus.EnsureTopics(t.Context(), broker.Connection(), bustest.Logger(t), topic))
	requireRefused(t, old)
}

// requireRefused tries for a while: a client whom the broker hangs up on cannot tell a refusal from a bad day.
func requireRefused(t *testing.T, stranger bus.Connection) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.Error(t, bus.EnsureTopics(ctx, stranger, bustest.Logger(t), bus.Topic{Name: "forged", Partitions: 1}))
}

func TestEmbeddedNamesABusyAddress(t *testing.T) {
	t.Parallel()
	connection := bustest.Connect(t)
	_, err := bus.StartEmbedded(bus.EmbeddedConfig{Directory: t.TempDir(), Listen: connection.Brokers[0]}, bustest.Logger(t))
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.ErrorContains(t, err, connection.Brokers[0])
}

func TestEmbeddedRefusesAnAddressNobodyCanBeSentTo(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{":0", "0.0.0.0:0", "[::]:0", "nonsense"} {
		_, err := bus.StartEmbedded(bus.EmbeddedConfig{Directory: t.TempDir(), Listen: listen}, bustest.Logger(t))
		require.Error(t, err, listen)
	}
}

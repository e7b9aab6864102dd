package bus_test

import (
	"context"
	"crypto/rand"
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
	"github.com/twmb/franz-go/pkg/kgo"

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

// Watermarks come twice a second for as long as the process lives; what they take of memory and disk must not grow with it.
func TestEmbeddedGivesBackWhatWatermarksTook(t *testing.T) {
	t.Parallel()
	const old, young, size = 64, 10, 64 << 10
	directory := t.TempDir()
	start := func(interval time.Duration) *bus.Embedded {
		broker, err := bus.StartEmbedded(bus.EmbeddedConfig{Directory: directory, Listen: "127.0.0.1:0", ExpireInterval: interval}, bustest.Logger(t))
		require.NoError(t, err)
		return broker
	}
	broker := start(time.Hour)
	made := bus.NewWatermarkTopic("thing", 0)
	require.NoError(t, bus.EnsureTopics(t.Context(), broker.Connection(), bustest.Logger(t), made))
	value := make([]byte, size)
	_, _ = rand.Read(value) // Never fails, and does not compress.
	write := func(count int, at time.Time) {
		client := bustest.Client(t, broker.Connection())
		for range count {
			record := &kgo.Record{Topic: made.Name, Timestamp: at, Value: value}
			require.NoError(t, client.ProduceSync(t.Context(), record).FirstErr())
		}
		client.Close()
	}
	segments := func() (count int, bytes int64) {
		files, err := filepath.Glob(filepath.Join(directory, "broker", "*", "*", "*.dat"))
		require.NoError(t, err)
		for _, file := range files {
			if info, err := os.Stat(file); err == nil {
				count, bytes = count+1, bytes+info.Size()
			}
		}
		return count, bytes
	}
	write(old, time.Now().Add(-made.Retention))
	write(young, time.Now())
	count, bytes := segments()
	require.Greater(t, count, 3)
	broker.Close()
	// The broker alone would not look at a topic that was there at its start.
	broker = start(10 * time.Millisecond)
	defer func() { broker.Close() }()
	admin := bustest.Administer(t, broker.Connection())
	require.Eventually(t, func() bool {
		starts, err := admin.ListStartOffsets(t.Context(), made.Name)
		require.NoError(t, err)
		offset, _ := starts.Lookup(made.Name, 0)
		return offset.Offset == old
	}, soon, time.Millisecond)
	left, kept := segments()
	require.LessOrEqual(t, left, 2)
	require.Less(t, kept, bytes/2)
	require.LessOrEqual(t, kept, int64(young*size+made.SegmentBytes))
}

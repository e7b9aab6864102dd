package bus_test

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/testkit/bustest"
	"github.com/braidhq/braid/testkit/smalldisk"
)

// smallDisk mounts a file system of the given size, and returns a way to give it more room.
func smallDisk(t *testing.T, size string) (directory string, grow func(size string)) {
	t.Helper()
	directory = t.TempDir()
	smalldisk.Mount(t, directory, "size="+size)
	return directory, func(size string) {
		require.NoError(t, syscall.Mount("tmpfs", directory, "tmpfs", syscall.MS_REMOUNT, "size="+size))
	}
}

func TestFullDiskLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	disk, grow := smallDisk(t, "2m")
	broker := bustest.NewIn(t, filepath.Join(disk, "data"))
	connection, logger := broker.Connection(), bustest.Logger(t)
	require.NoError(t, bus.EnsureTopics(t.Context(), connection, logger, bus.Topic{Name: "t", Partitions: 1, Retention: time.Hour}))
	producer, err := bus.NewProducer(connection, logger)
	require.NoError(t, err)
	defer producer.Close()
	var acknowledged []string
	refused := 0
	publish := func() error {
		value := rand.Text() // Random, or it would be compressed to nothing.
		for len(value) < 20_000 {
			value += rand.Text()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := producer.Publish(ctx, bus.Record{Topic: "t", Partition: 0, Value: []byte(value)})[0]
		if err == nil {
			acknowledged = append(acknowledged, value)
		}
		return err
	}
	for attempt := 0; refused < 5; attempt++ {
		require.Less(t, attempt, 1000, "the disk does not fill")
		if publish() != nil {
			refused++
		}
	}
	require.NotEmpty(t, acknowledged)
	require.Equal(t, acknowledged, values(t, connection, "t"), "reading goes on while the disk is full")
	grow("64m")
	for range 5 {
		require.NoError(t, publish(), "the broker recovers alone")
	}
	require.Equal(t, acknowledged, values(t, connection, "t"))

	// What is on the disk now is what a kill would leave behind: a second broker begins with a copy of it.
	copied := t.TempDir()
	require.NoError(t, os.CopyFS(copied, os.DirFS(broker.Directory())))
	require.Equal(t, acknowledged, values(t, bustest.NewIn(t, copied).Connection(), "t"))
	broker.Stop()
	broker.Start()
	require.Equal(t, acknowledged, values(t, connection, "t"))
}

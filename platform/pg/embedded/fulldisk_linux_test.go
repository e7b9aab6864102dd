package embedded

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/testkit/smalldisk"
)

// TestFullDisk has the server end because it can't write its log, and come back by itself once there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	directory := newDirectory(t)
	disk := filepath.Dir(directory)
	smalldisk.Mount(t, disk, "size=256m,mode=711")
	server, end := keepServer(t, Config{DataDir: directory})
	t.Cleanup(func() { require.NoError(t, end()) }) // Before the disk is gone.
	url := server.SuperuserURL("postgres")
	connection := connect(t, url)
	_, err := connection.Exec(t.Context(), `create table kept as select -1 as round`) // The table has room for more rows.
	require.NoError(t, err)

	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	first := server.current()
	acknowledged := writeUntilTheEnd(t, connection)
	select {
	case <-first.done:
	case <-time.After(10 * time.Second):
		t.Fatal("the session was closed, but the server runs")
	}
	require.Eventually(t, func() bool { return server.current() != first }, 10*time.Second, 5*time.Millisecond, "it is tried")
	require.Eventually(t, func() bool { return errors.Is(server.Ready(), errFull) }, 10*time.Second, time.Millisecond, "it is named")
	require.NoError(t, os.Remove(filler))
	requireAnswers(t, server)
	var rounds int
	require.NoError(t, connect(t, url).QueryRow(t.Context(), `select count(*) from kept where round >= 0`).Scan(&rounds))
	require.GreaterOrEqual(t, rounds, acknowledged, "one may have been written whose answer was lost")
	_, err = connect(t, url).Exec(t.Context(), `insert into kept values (-1)`)
	require.NoError(t, err)
}

// fill takes all room.
func fill(t *testing.T, name string) {
	t.Helper()
	file, err := os.Create(name)
	require.NoError(t, err)
	defer file.Close()
	for _, chunk := range [][]byte{make([]byte, 1<<20), make([]byte, 4<<10)} {
		for err = nil; err == nil; {
			_, err = file.Write(chunk)
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
	}
}

// writeUntilTheEnd writes row after row, each into a segment of the log of its own, and returns how many were acknowledged
// before the server ended.
func writeUntilTheEnd(t *testing.T, connection *pgx.Conn) int {
	t.Helper()
	acknowledged := 0
	for round := range 100 {
		if _, err := connection.Exec(t.Context(), `insert into kept values ($1)`, round); err == nil {
			acknowledged++
		}
		_, _ = connection.Exec(t.Context(), `select pg_switch_wal()`)
		if connection.IsClosed() {
			return acknowledged
		}
	}
	t.Fatal("the server goes on without room for its log")
	return 0
}

package pg_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/pg/embedded"
	"github.com/braidhq/braid/testkit/pgtest"
	"github.com/braidhq/braid/testkit/smalldisk"
)

// TestFullDisk has a server of its own run out of room for tables.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk, database := openOnSmallDisk(t)
	registry := newRegistry()
	db := pgtest.OpenDB(t, database, registry)
	scope := pg.Scope{OrganizationID: id.New()}
	write := func() error {
		return db.InTx(t.Context(), scope, func(ctx context.Context, tx *pg.Tx) error {
			_, err := tx.Exec(ctx, insertItem, scope.OrganizationID, id.New(), rand.Text()+string(bytes.Repeat([]byte{'x'}, 1500)))
			return err
		})
	}
	count := func() (rows int, err error) {
		err = db.Point(scope).QueryRow(t.Context(), `select count(*) from item`).Scan(&rows)
		return rows, err
	}
	require.NoError(t, write())
	require.NoError(t, db.CheckStorage(t.Context()))

	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	require.NoError(t, db.CheckStorage(t.Context()), "nobody has wanted to write")
	written, refused := 1, error(nil)
	for ; refused == nil; written++ {
		require.Less(t, written, 1000, "the disk does not fill")
		refused = write()
	}
	written-- // The last one was refused.
	var problem *errs.Error
	require.ErrorAs(t, refused, &problem)
	require.Equal(t, errs.Unavailable, problem.Kind)
	require.Equal(t, "STORAGE_FULL", problem.Reason)
	require.Equal(t, 30*time.Second, problem.RetryAfter)
	for range 3 {
		require.ErrorContains(t, db.CheckStorage(t.Context()), "disk")
		require.NoError(t, db.Ping(t.Context()))
		rows, err := count()
		require.NoError(t, err, "reading goes on")
		require.Equal(t, written, rows)
	}
	require.GreaterOrEqual(t, diskErrors(t, registry), 4.0, "the write, and each time it was asked")

	require.NoError(t, os.Remove(filler))
	require.NoError(t, db.CheckStorage(t.Context()))
	require.NoError(t, write())
	rows, err := count()
	require.NoError(t, err)
	require.Equal(t, written+1, rows)

	fill(t, filler)
	require.NoError(t, db.CheckStorage(t.Context()), "it is forgotten")
}

func diskErrors(t *testing.T, registry *prometheus.Registry) float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == "braid_pg_disk_full_errors_total" {
			return family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return 0
}

// openOnSmallDisk starts a server on a disk of its own, and makes the database of items.
func openOnSmallDisk(t *testing.T) (disk string, database pg.Config) {
	t.Helper()
	disk, err := os.MkdirTemp("", "braid-pg-") // An unprivileged server can't reach what t.TempDir returns.
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(disk)) })
	smalldisk.Mount(t, disk, "size=256m,mode=711")
	server, err := embedded.Start(t.Context(), embedded.Config{DataDir: filepath.Join(disk, "postgres"), Volatile: true, Logger: nopLogger()})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer cancel()
		require.NoError(t, server.Stop(ctx))
	})
	require.NoError(t, server.EnsureDatabase(t.Context(), "items"))
	database = pg.Config{Service: "items", URL: server.URL("items")}
	require.NoError(t, pg.Migrate(t.Context(), pg.MigrateConfig{
		Service: "items", URL: database.URL, Sets: []pg.MigrationSet{items}, Logger: nopLogger(),
	}))
	return disk, database
}

// fill takes all room.
func fill(t *testing.T, name string) {
	t.Helper()
	file, err := os.Create(name)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	for _, chunk := range [][]byte{make([]byte, 1<<20), make([]byte, 4<<10)} {
		for err = nil; err == nil; {
			_, err = file.Write(chunk)
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
	}
}

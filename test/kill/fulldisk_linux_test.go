package kill_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/pg/embedded"
	"github.com/braidhq/braid/test/deployment"
	"github.com/braidhq/braid/testkit/smalldisk"
)

const (
	diskSize = "448m"
	// fullFor is how long the disk stays full.
	fullFor = 12 * time.Second
	// padding makes a write heavy: PostgreSQL has the log's present segment in hand and must run out of it.
	padding = 15_000
)

// TestFullDisk fills the disk below the data directory while people work. Writes may be refused meanwhile, clearly, and
// operators are told; what
// was acknowledged stays; and once there is room again the same process goes on by itself, also when PostgreSQL has ended
// because it could not write its log. A longer run takes a new disk every time: what people write fills it, too.
func TestFullDisk(t *testing.T) {
	requireAsked(t)
	plan := readPlan(t, "BRAID_TEST_KILL_DISK_COUNT", 2)
	plan.padding = padding
	for disk := 1; disk == 1 || time.Since(plan.begun) < plan.duration; disk++ {
		each := *plan
		each.duration = 0
		if !t.Run(fmt.Sprintf("disk %d", disk), func(t *testing.T) { fillDisk(t, &each) }) {
			return
		}
	}
}

func fillDisk(t *testing.T, plan *plan) {
	directory := makeDirectory(t)
	disk := filepath.Join(directory, "data")
	require.NoError(t, os.Mkdir(disk, 0o755))
	smalldisk.Mount(t, disk, "size="+diskSize+",mode=755")
	running, err := deployment.StartAllInOne(t.Context(), deployment.Options{Directory: directory, Environment: environment(t)})
	require.NoError(t, err)
	stopAtEnd(t, running)
	connection, err := bus.ReadClientConfig(running.DataDir)
	require.NoError(t, err)
	filling := &filler{t: t, disk: disk, witness: newWitness(t, running, plan)}
	runKills(t, running, connection, plan, filling.fill)
	if filling.times >= len(leftFree) {
		require.Positive(t, restarts(t, running), "PostgreSQL was never without room for its log")
	}
	witness := filling.witness
	require.Positive(t, witness.refused, "no write was refused for the full disk")
	require.Positive(t, witness.named, "/readyz has not named it")
	require.Positive(t, witness.metered, "no metric says it")
	t.Logf("of %d writes by the witness %d were refused for the disk; /readyz named it %d times, metrics %d times",
		witness.made, witness.refused, witness.named, witness.metered)
	t.Logf("the disk was full %d times for %s; PostgreSQL was started again %d times", filling.times, fullFor, restarts(t, running))
}

// filler fills a disk. Nobody starts again what runs on it.
type filler struct {
	t    *testing.T
	disk string
	// witness looks at what is said meanwhile.
	witness *witness

	times int
}

func (f *filler) file() string { return filepath.Join(f.disk, "filler") }

// leftFree is what a full disk still has, in turn: next to nothing, so that tables and topics can't grow; or room for
// them, but not for the next segment of PostgreSQL's log, at whose end it gives up.
var leftFree = []int64{256 << 10, 12 << 20}

// fill makes the disk full for a while, then gives the room back. It counts as one kill.
func (f *filler) fill(ctx context.Context, running *deployment.Deployment, plan *plan) (int, error) {
	_ = clock.Sleep(ctx, plan.between(time.Second, 2*time.Second))
	if err := f.take(leftFree[f.times%len(leftFree)]); err != nil {
		return 0, err
	}
	f.times++
	until := time.Now().Add(fullFor)
	if f.times%len(leftFree) == 0 {
		if err := f.endLog(ctx, running); err != nil {
			return 0, err
		}
	}
	for time.Now().Before(until) && ctx.Err() == nil {
		if _, err := readiness(ctx, running); errors.Is(err, syscall.ECONNREFUSED) {
			return 0, errors.New("braid has ended on the full disk")
		}
		if err := f.witness.look(ctx, running); err != nil {
			return 0, err
		}
		_ = clock.Sleep(ctx, 100*time.Millisecond)
	}
	if err := os.Remove(f.file()); err != nil {
		return 0, err
	}
	f.t.Log("there is room again")
	if err := awaitRecovery(ctx, f.t, running); err != nil {
		return 1, err
	}
	return 1, f.witness.awaitRoom(ctx, running)
}

// endLog has PostgreSQL need the next segment of its log, which a slow machine might not get to while the disk is full.
// It is done when the server has ended.
func (f *filler) endLog(ctx context.Context, running *deployment.Deployment) error {
	ctx, cancel := context.WithTimeout(ctx, fullFor)
	defer cancel()
	server, err := embedded.Attach(filepath.Join(running.DataDir, "postgres"))
	if err != nil {
		return err
	}
	connection, err := pgx.Connect(ctx, server.SuperuserURL("postgres"))
	if err != nil {
		return nil // It has ended already.
	}
	defer func() { _ = connection.Close(context.WithoutCancel(ctx)) }()
	for !connection.IsClosed() {
		if ctx.Err() != nil {
			return errors.New("PostgreSQL goes on without room for its log")
		}
		_, _ = connection.Exec(ctx, `select pg_switch_wal()`)
		_ = clock.Sleep(ctx, 20*time.Millisecond)
	}
	return nil
}

// take fills the disk but for what is left.
func (f *filler) take(left int64) error {
	var room syscall.Statfs_t
	if err := syscall.Statfs(f.disk, &room); err != nil {
		return err
	}
	file, err := os.Create(f.file())
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	chunk := make([]byte, 64<<10)
	for free := int64(room.Bavail)*room.Bsize - left; free > 0; free -= int64(len(chunk)) {
		if _, err := file.Write(chunk); errors.Is(err, syscall.ENOSPC) {
			return nil // Others were faster.
		} else if err != nil {
			return err
		}
	}
	return nil
}

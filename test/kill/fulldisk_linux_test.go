package kill_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/test/deployment"
)

const (
	diskSize = "448m"
	// fullFor is how long the disk stays full.
	fullFor = 12 * time.Second
	// recoveryTimeout bounds the way back once there is room.
	recoveryTimeout = 30 * time.Second
	// padding makes a write heavy: PostgreSQL has the log's present segment in hand and must run out of it.
	padding = 15_000
)

// TestFullDisk fills the disk below the data directory while people work. Writes may be refused meanwhile, clearly; what
// was acknowledged stays; and once there is room again it goes on, by itself or, when PostgreSQL has given up because it
// could not write its log, at the next start by whatever supervises it.
func TestFullDisk(t *testing.T) {
	requireAsked(t)
	directory := makeDirectory(t)
	disk := filepath.Join(directory, "data")
	require.NoError(t, os.Mkdir(disk, 0o755))
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size="+diskSize+",mode=755"); errors.Is(err, syscall.EPERM) {
		t.Skip("mounting a small disk needs privileges that this user lacks")
	} else {
		require.NoError(t, err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(disk, syscall.MNT_DETACH)) })
	running, err := deployment.StartAllInOne(t.Context(), deployment.Options{Directory: directory, Environment: environment})
	require.NoError(t, err)
	stopAtEnd(t, running)
	connection, err := bus.ReadClientConfig(running.DataDir)
	require.NoError(t, err)
	plan := readPlan(t, "BRAID_TEST_KILL_DISK_COUNT", 2)
	plan.padding = padding
	filling := &filler{t: t, disk: disk}
	runKills(t, running, connection, plan, filling.fill)
	t.Logf("the disk was full %d times for %s; the process ended %d times, %d of its starts found no room", filling.times, fullFor, filling.ended, filling.inVain)
}

// filler fills a disk, and is the supervisor of what runs on it.
type filler struct {
	t    *testing.T
	disk string

	times, ended, inVain int
}

func (f *filler) file() string { return filepath.Join(f.disk, "filler") }

// leftFree is what a full disk still has, in turn: next to nothing, so that tables and topics can't grow; or room for
// them, but not for the next segment of PostgreSQL's log, at whose end it gives up.
var leftFree = []int64{256 << 10, 12 << 20}

// fill makes the disk full for a while, then gives the room back. It counts as one kill.
func (f *filler) fill(ctx context.Context, running *deployment.Deployment, plan *plan) (int, error) {
	pause(ctx, plan.between(time.Second, 2*time.Second))
	if err := f.take(leftFree[f.times%len(leftFree)]); err != nil {
		return 0, err
	}
	f.times++
	until := time.Now().Add(fullFor)
	for time.Now().Before(until) && ctx.Err() == nil {
		if !alive(ctx, running) {
			f.restart(ctx, running, time.Until(until))
		}
		pause(ctx, 100*time.Millisecond)
	}
	if err := os.Remove(f.file()); err != nil {
		return 0, err
	}
	return 1, f.awaitRecovery(ctx, running)
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

// alive says whether there is a process that answers at all.
func alive(ctx context.Context, running *deployment.Deployment) bool {
	_, err := readiness(ctx, running)
	return !errors.Is(err, syscall.ECONNREFUSED)
}

func readiness(ctx context.Context, running *deployment.Deployment) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, running.AdminURL+"/readyz", nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// restart does what a supervisor does: what has ended is started again.
func (f *filler) restart(ctx context.Context, running *deployment.Deployment, patience time.Duration) {
	part := running.Parts()[0]
	f.ended++
	ctx, cancel := context.WithTimeout(ctx, max(patience, time.Second))
	defer cancel()
	for ctx.Err() == nil {
		if err := running.Kill(part); err != nil { // It has ended, or is on its way.
			f.t.Logf("end it: %v", err)
		}
		if err := running.Start(ctx, part); err == nil {
			return
		}
		f.inVain++
		pause(ctx, 500*time.Millisecond)
	}
}

// awaitRecovery waits until the product is ready again, starting it when it has ended.
func (f *filler) awaitRecovery(ctx context.Context, running *deployment.Deployment) error {
	begun := time.Now()
	for {
		status, err := readiness(ctx, running)
		if status == http.StatusOK {
			f.t.Logf("ready %s after there was room again", time.Since(begun).Round(10*time.Millisecond))
			return nil
		}
		if time.Since(begun) > recoveryTimeout {
			return fmt.Errorf("not ready %s after there was room again: %d %w", recoveryTimeout, status, err)
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			f.restart(ctx, running, recoveryTimeout)
		}
		pause(ctx, 100*time.Millisecond)
	}
}

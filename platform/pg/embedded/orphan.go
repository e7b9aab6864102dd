//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// gentleWait is how long an orphan may take for a clean shutdown, hardWait for an immediate one.
	gentleWait = 3 * time.Second
	hardWait   = 5 * time.Second
)

// stopOrphan ends what is left of a server whose braid was killed. The caller holds the directory's lock, so no living
// braid owns it. Only processes that demonstrably work in this data directory are touched: the number in
// postmaster.pid alone may belong to anybody by now.
func stopOrphan(ctx context.Context, data string, logger *slog.Logger) error {
	first, err := readPID(data)
	if err != nil {
		return err
	}
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
		all    bool
	}{
		{syscall.SIGINT, gentleWait, false}, // fast shutdown: to the first process, which tells its children
		{syscall.SIGQUIT, hardWait, true},   // immediate shutdown: recovery follows, nothing committed is lost
		{syscall.SIGKILL, hardWait, true},
	} {
		servers, err := findServers(data, first)
		if err != nil {
			return fmt.Errorf("look for an orphaned server: %w", err)
		}
		if len(servers) == 0 {
			return removeStale(data, first)
		}
		logger.WarnContext(ctx, "stopping an orphaned PostgreSQL", "pid", servers[0], "signal", step.signal.String())
		if !step.all {
			servers = servers[:1]
		}
		for _, pid := range servers {
			if err := syscall.Kill(pid, step.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("stop the orphaned server %d: %w", pid, err)
			}
		}
		if gone, err := waitGone(ctx, data, first, step.wait); err != nil {
			return err
		} else if gone {
			return removeStale(data, first)
		}
	}
	return fmt.Errorf("stop the orphaned server %d: it does not end", first)
}

func waitGone(ctx context.Context, data string, first int, limit time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		servers, err := findServers(data, first)
		if err != nil {
			return false, fmt.Errorf("look for an orphaned server: %w", err)
		}
		if len(servers) == 0 {
			return true, nil
		}
		select {
		case <-ctx.Done():
			return false, nil
		case <-ticker.C:
		}
	}
}

// removeStale deletes postmaster.pid when its number now belongs to a process that is no server of ours: PostgreSQL
// would take it for a running one and refuse to start. In every other case the file stays, since PostgreSQL's own check
// for shared memory still in use reads it.
func removeStale(data string, first int) error {
	if first == 0 || syscall.Kill(first, 0) != nil {
		return nil
	}
	if err := os.Remove(filepath.Join(data, "postmaster.pid")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a stale lock: %w", err)
	}
	return nil
}

// readPID returns the process named in postmaster.pid, or 0.
func readPID(data string) (int, error) {
	content, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the server's lock: %w", err)
	}
	line, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid < 2 {
		return 0, nil
	}
	return pid, nil
}

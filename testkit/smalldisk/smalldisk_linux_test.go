package smalldisk

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// outcome is a test that notes how it ended.
type outcome struct {
	testing.TB

	skipped, failed bool
}

func (o *outcome) Helper()               {}
func (o *outcome) Errorf(string, ...any) { o.failed = true }
func (o *outcome) FailNow()              { runtime.Goexit() }
func (o *outcome) Skip(...any) {
	o.skipped = true
	runtime.Goexit()
}

// mountUnprivileged mounts on a thread that has given up its privileges, and that ends with it.
func mountUnprivileged(t *testing.T) (ended outcome, err error) {
	t.Helper()
	ended.TB = t
	directory, done := t.TempDir(), make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		header, none := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
		if err = unix.Capset(&header, &none[0]); err == nil {
			Mount(&ended, directory, "size=1m")
		}
	}()
	<-done
	return ended, err
}

func TestWithoutPrivilegesATestIsSkippedButInCIFails(t *testing.T) {
	for ci, inCI := range map[string]bool{"": false, "true": true} {
		t.Setenv("CI", ci)
		ended, err := mountUnprivileged(t)
		require.NoError(t, err)
		require.Equal(t, inCI, ended.failed, "CI=%s", ci)
		require.Equal(t, !inCI, ended.skipped, "CI=%s", ci)
	}
}

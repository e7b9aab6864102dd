package smalldisk

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Mount puts a file system of its own, in memory, at directory until the test ends; options are tmpfs's, such as
// "size=2m". Without the privilege to mount the test is skipped; with CI=true it fails, for nobody reads there what was
// skipped.
func Mount(t testing.TB, directory, options string) {
	t.Helper()
	err := syscall.Mount("tmpfs", directory, "tmpfs", 0, options)
	if errors.Is(err, syscall.EPERM) && os.Getenv("CI") != "true" {
		t.Skip("mounting a small disk needs privileges that this user lacks")
	}
	require.NoError(t, err, "mount a small disk, which needs privileges")
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(directory, syscall.MNT_DETACH)) })
}

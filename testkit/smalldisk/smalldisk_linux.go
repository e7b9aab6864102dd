package smalldisk

import (
	"errors"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Mount puts a file system of its own, in memory, at directory until the test ends; options are tmpfs's, such as
// "size=2m". Without the privilege to mount the test is skipped.
func Mount(t testing.TB, directory, options string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", directory, "tmpfs", 0, options); errors.Is(err, syscall.EPERM) {
		t.Skip("mounting a small disk needs privileges that this user lacks")
	} else {
		require.NoError(t, err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(directory, syscall.MNT_DETACH)) })
}

package filelock_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/filelock"
)

// open opens the file anew: locks belong to the open file, so two of one process stand for two processes.
func open(t *testing.T, name string) *os.File {
	t.Helper()
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	return file
}

func TestTakeRefusesWhatIsHeldAndWaitsForWhatBecomesFree(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "lock")
	first := open(t, name)
	require.NoError(t, filelock.Take(first, 0))
	require.ErrorIs(t, filelock.Take(open(t, name), 0), filelock.ErrHeld)

	waiting := make(chan error, 1)
	second := open(t, name)
	go func() { waiting <- filelock.Take(second, time.Minute) }()
	require.NoError(t, first.Close())
	require.NoError(t, <-waiting)
}

package golden

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "testdata", "list.txt")
	require.Contains(t, compare(t, path, "one\n"), "does not exist")

	write(t, path, "one\ntwo\nthree\n")
	written, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "one\ntwo\nthree\n", string(written))

	require.Empty(t, compare(t, path, "one\ntwo\nthree\n"))
	difference := compare(t, path, "one\n2\nthree\n")
	require.Regexp(t, `-.*"two\\n"`, difference)
	require.Regexp(t, `\+.*"2\\n"`, difference)
	require.NotEmpty(t, compare(t, path, "one\ntwo\nthree"), "a missing last line end is a difference")
}

// recorder is a testing.TB that only notes that it was failed.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Errorf(string, ...any) { r.failed = true }

func TestAssertFailsTheTest(t *testing.T) {
	t.Parallel()
	if *update {
		t.Skip("with -update nothing is compared")
	}
	path := filepath.Join(t.TempDir(), "value.txt")
	write(t, path, "right")
	recorded := &recorder{TB: t}
	Assert(recorded, path, "right")
	require.False(t, recorded.failed)
	Assert(recorded, path, "wrong")
	require.True(t, recorded.failed)
}

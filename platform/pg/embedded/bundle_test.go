//go:build unix

package embedded

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

const runtimeIsLinux = runtime.GOOS == "linux"

func requireBundle(t *testing.T) *bundle {
	t.Helper()
	opened, err := openBundle(packed)
	require.NoError(t, err)
	if opened == nil {
		t.Skip("no server is packed into this build: go run -C tools ./postgres")
	}
	return opened
}

func TestDamagedServerIsUnpackedAnew(t *testing.T) {
	t.Parallel()
	opened := requireBundle(t)
	cache := filepath.Join(t.TempDir(), "server")
	directory, err := opened.unpack(cache)
	require.NoError(t, err)
	require.NoError(t, opened.verify(directory))
	program := filepath.Join(directory, "bin", "postgres")
	before, err := os.Stat(program)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o755), before.Mode().Perm())

	require.NoError(t, os.Mkdir(filepath.Join(cache, "postgresql-17.1-other"), 0o755))
	_, err = opened.unpack(cache)
	require.NoError(t, err)
	after, err := os.Stat(program)
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after), "what is whole is kept")
	require.NoDirExists(t, filepath.Join(cache, "postgresql-17.1-other"))

	file, err := os.OpenFile(program, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteAt([]byte{0}, 4096)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.Error(t, opened.verify(directory))
	_, err = opened.unpack(cache)
	require.NoError(t, err)
	require.NoError(t, opened.verify(directory))
}

// countingFiles counts what is read.
type countingFiles struct {
	fs.FS
	read int
}

func (c *countingFiles) Open(name string) (fs.File, error) {
	file, err := c.FS.Open(name)
	return countingFile{file, c}, err
}

type countingFile struct {
	fs.File
	files *countingFiles
}

func (c countingFile) Read(buffer []byte) (int, error) {
	count, err := c.File.Read(buffer)
	c.files.read += count
	return count, err
}

// What is read of the archive stays in memory: a start that need not unpack it leaves it alone.
func TestUnpackedServerIsNotReadAgain(t *testing.T) {
	t.Parallel()
	cache := filepath.Join(t.TempDir(), "server")
	first, err := requireBundle(t).unpack(cache)
	require.NoError(t, err)
	files := &countingFiles{FS: packed}
	opened, err := openBundle(files)
	require.NoError(t, err)
	again, err := opened.unpack(cache)
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Positive(t, files.read)
	require.Less(t, files.read, 1<<20)
}

func TestBuildWithoutArchive(t *testing.T) {
	t.Parallel()
	opened, err := openBundle(fstest.MapFS{"bundle/README.md": {}})
	require.NoError(t, err)
	require.Nil(t, opened)
	_, err = openBundle(fstest.MapFS{archiveName: {Data: []byte("no archive")}})
	require.Error(t, err)
}

func TestSystemServer(t *testing.T) {
	t.Parallel()
	found, err := findSystem(t.Context())
	if err != nil {
		require.ErrorIs(t, err, ErrNoServer)
		t.Skip("the machine has no PostgreSQL")
	}
	require.GreaterOrEqual(t, found.major, oldestMajor)
	server := startServer(t, Config{DataDir: newDirectory(t), Volatile: true, System: true})
	require.Equal(t, found.major, server.Major())
	require.NoError(t, server.EnsureDatabase(t.Context(), "items"))
	connection, err := pgx.Connect(t.Context(), server.URL("items")+"&role=items_app")
	require.NoError(t, err)
	require.NoError(t, connection.Close(t.Context()))
}

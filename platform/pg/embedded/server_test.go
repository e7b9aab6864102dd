//go:build unix

package embedded

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/pg"
)

func TestDatabasesAndTheirLogins(t *testing.T) {
	t.Parallel()
	directory := newDirectory(t)
	server := startServer(t, Config{DataDir: directory, Volatile: true})
	for range 2 {
		require.NoError(t, server.EnsureDatabase(t.Context(), "identity"))
	}
	require.NoError(t, server.EnsureDatabase(t.Context(), "workflow"))
	require.Error(t, server.EnsureDatabase(t.Context(), `bad"name`))

	connection := connect(t, server.URL("identity"))
	var super, may bool
	require.NoError(t, connection.QueryRow(t.Context(), `select rolsuper or rolbypassrls or rolcreaterole or rolcreatedb,
		pg_has_role($1, 'set') and pg_has_role($2, 'set') from pg_roles where rolname = current_user`,
		pg.AppRole("identity"), pg.WorkerRole("identity")).Scan(&super, &may))
	require.False(t, super)
	require.True(t, may)
	_, err := connection.Exec(t.Context(), `create table note ()`)
	require.NoError(t, err)

	for name, url := range map[string]string{
		"another service's database": server.url(ownerRole("identity"), server.ownerPassword("identity"), "workflow"),
		"another's password":         server.url(ownerRole("identity"), server.ownerPassword("workflow"), "identity"),
		"no password":                server.url(superuser, "", "postgres"),
	} {
		_, err := pgx.Connect(t.Context(), url)
		var refused *pgconn.PgError
		require.ErrorAs(t, err, &refused, name)
	}
	info, err := os.Stat(filepath.Join(directory, "password"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	info, err = os.Stat(filepath.Join(directory, "data"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
	if os.Geteuid() == 0 {
		owner, ok := info.Sys().(*syscall.Stat_t)
		require.True(t, ok)
		require.NotZero(t, owner.Uid, "not as root")
	}
}

func TestDataSurvivesStopAndStart(t *testing.T) {
	t.Parallel()
	config := Config{DataDir: newDirectory(t)}
	server, err := Start(t.Context(), config)
	require.NoError(t, err)
	var fsync, encoding string
	connection, err := pgx.Connect(t.Context(), server.SuperuserURL("postgres"))
	require.NoError(t, err)
	require.NoError(t, connection.QueryRow(t.Context(), `select current_setting('fsync') || current_setting('synchronous_commit') ||
		current_setting('max_connections'), current_setting('server_encoding')`).Scan(&fsync, &encoding))
	require.Equal(t, "onon300", fsync)
	require.Equal(t, "UTF8", encoding)
	_, err = connection.Exec(t.Context(), `create table kept as select 1 as one`)
	require.NoError(t, err)

	_, err = Start(t.Context(), config)
	require.ErrorIs(t, err, ErrInUse)
	stopServer(t, server) // with a session open

	server = startServer(t, config)
	require.NoError(t, connect(t, server.SuperuserURL("postgres")).QueryRow(t.Context(), `select one from kept`).Scan(new(int)))
}

func TestLoopbackWithPassword(t *testing.T) {
	t.Parallel()
	server := startServer(t, Config{DataDir: newDirectory(t), Volatile: true, Loopback: true})
	require.Contains(t, server.SuperuserURL("postgres"), "@127.0.0.1:")
	connect(t, server.SuperuserURL("postgres"))
	_, err := pgx.Connect(t.Context(), server.url(superuser, "guess", "postgres"))
	require.Error(t, err)
}

func TestLongPathGetsAnotherSocket(t *testing.T) {
	t.Parallel()
	directory := filepath.Join(newDirectory(t), strings.Repeat("long/", 20), "postgres")
	server := startServer(t, Config{DataDir: directory, Volatile: true})
	require.Less(t, len(server.address.host), 90)
	connect(t, server.SuperuserURL("postgres"))
	if server.address.socket() {
		t.Cleanup(func() { _ = os.RemoveAll(server.address.host) })
	}
}

// The path of the socket is a part of the connection string, of a setting of the server's and of its command line.
func TestDataDirectoryMayHaveAnyName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"s p", "a%20b", "a+b", "a#b", "a?b=c&d", "Mülltonne", "a,b", "it's", "a[b", "a*b", "%s;|日本 "} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := filepath.Join(filepath.Dir(newDirectory(t)), name, "postgres")
			server := startServer(t, Config{DataDir: directory, Volatile: true})
			require.NoError(t, server.EnsureDatabase(t.Context(), "workflow"))
			running, err := Attach(directory)
			require.NoError(t, err)
			for _, url := range []string{server.URL("workflow"), running.URL("workflow")} {
				var found string
				require.NoError(t, connect(t, url).QueryRow(t.Context(), "select current_user").Scan(&found))
				require.Equal(t, ownerRole("workflow"), found)
			}
			if server.address.socket() {
				t.Cleanup(func() { _ = os.RemoveAll(server.address.host) })
			}
		})
	}
}

// PostgreSQL hands its paths to a shell: what the shell would take for its own must not get there.
func TestPathThatAShellWouldReadIsRefusedUntouched(t *testing.T) {
	t.Parallel()
	parent := filepath.Dir(newDirectory(t))
	for _, name := range []string{"a$HOME", "$(touch gone)", "`id`", `a"b`, `a\b`, "a\nb", "a\rb", "a\xffb"} {
		directory := filepath.Join(parent, name, "postgres")
		_, err := Start(t.Context(), Config{DataDir: directory})
		require.ErrorIs(t, err, ErrPath, name)
		require.NotContains(t, err.Error(), "\n", "one line")
		require.NoDirExists(t, filepath.Dir(directory))
	}
	behind := filepath.Join(parent, "cash$")
	require.NoError(t, os.Mkdir(behind, 0o755))
	require.NoError(t, os.Symlink(behind, filepath.Join(parent, "link")))
	_, err := Start(t.Context(), Config{DataDir: filepath.Join(parent, "link")})
	require.ErrorIs(t, err, ErrPath)
	entries, err := os.ReadDir(behind)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// A name with a star in it is no pattern: what a neighbor is just making stays.
func TestAttemptsOfOthersStay(t *testing.T) {
	t.Parallel()
	parent := filepath.Dir(newDirectory(t))
	for _, name := range []string{"a*b", "axxb"} {
		require.NoError(t, os.MkdirAll(filepath.Join(parent, name, "data"+attemptSuffix+"1"), 0o755))
	}
	require.NoError(t, removeAttempts(filepath.Join(parent, "a*b", "data")))
	require.NoDirExists(t, filepath.Join(parent, "a*b", "data"+attemptSuffix+"1"))
	require.DirExists(t, filepath.Join(parent, "axxb", "data"+attemptSuffix+"1"))
	require.NoError(t, removeAttempts(filepath.Join(parent, "axxb", "data")))
	require.NoDirExists(t, filepath.Join(parent, "axxb", "data"+attemptSuffix+"1"))
}

func TestOtherVersionIsLeftUntouched(t *testing.T) {
	t.Parallel()
	directory := newDirectory(t)
	data := filepath.Join(directory, "data")
	require.NoError(t, os.MkdirAll(data, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte("14\n"), 0o600))
	_, err := Start(t.Context(), Config{DataDir: directory, UID: 65534})
	require.ErrorIs(t, err, ErrVersion)
	require.ErrorContains(t, err, "PostgreSQL 14")
	entries, err := os.ReadDir(data)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.NoFileExists(t, filepath.Join(directory, "password"))

	require.NoError(t, os.Rename(filepath.Join(data, "PG_VERSION"), filepath.Join(data, "something")))
	_, err = Start(t.Context(), Config{DataDir: directory, UID: 65534})
	require.ErrorIs(t, err, ErrVersion, "what is not a data directory is not ours either")
	require.FileExists(t, filepath.Join(data, "something"))
}

func TestRootIsToldWhatIsOutOfReach(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	directory := newDirectory(t)
	require.NoError(t, os.Chmod(filepath.Dir(directory), 0o700))
	_, err := Start(t.Context(), Config{DataDir: directory})
	require.ErrorIs(t, err, ErrUnreachable)
	require.ErrorContains(t, err, filepath.Dir(directory))
	require.NoDirExists(t, filepath.Join(directory, "data"))
}

func TestDeathOfTheServerIsSeen(t *testing.T) {
	t.Parallel()
	server := startServer(t, Config{DataDir: newDirectory(t), Volatile: true})
	require.NoError(t, server.Err())
	require.NoError(t, syscall.Kill(server.process.pid, syscall.SIGKILL))
	select {
	case <-server.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("nobody noticed")
	}
	require.Error(t, server.Err())
}

func TestCrashOfASessionEndsTheServer(t *testing.T) {
	t.Parallel()
	server := startServer(t, Config{DataDir: newDirectory(t), Volatile: true})
	connection := connect(t, server.SuperuserURL("postgres"))
	require.NoError(t, syscall.Kill(int(connection.PgConn().PID()), syscall.SIGKILL))
	select {
	case <-server.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the server went on after a crash")
	}
}

// TestKilledBraid is kill -9 of a braid with a durable server, which the kernel stops with it, and a start after that.
func TestKilledBraid(t *testing.T) {
	t.Parallel()
	config := Config{DataDir: newDirectory(t)}
	server, err := Start(t.Context(), config)
	require.NoError(t, err)
	connection, err := pgx.Connect(t.Context(), server.SuperuserURL("postgres"))
	require.NoError(t, err)
	_, err = connection.Exec(t.Context(), `create table kept (round integer)`)
	require.NoError(t, err)
	require.NoError(t, connection.Close(t.Context()))
	stopServer(t, server)

	for round := range 3 {
		child, pid := startChild(t, config.DataDir)
		require.True(t, exists(pid))
		password, err := os.ReadFile(filepath.Join(config.DataDir, "password"))
		require.NoError(t, err)
		running := &Server{address: server.address, password: strings.TrimSpace(string(password))}
		connection, err := pgx.Connect(t.Context(), running.SuperuserURL("postgres"))
		require.NoError(t, err)
		_, err = connection.Exec(t.Context(), `insert into kept values ($1)`, round)
		require.NoError(t, err)
		require.NoError(t, child.Process.Kill())
		if round == 1 {
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL), "and the server as well")
		}
		_ = connection.Close(t.Context())
		if round == 2 && runtimeIsLinux {
			require.Eventually(t, func() bool { return !exists(pid) }, 10*time.Second, 10*time.Millisecond, "an orphan goes on")
		}
	}
	server = startServer(t, config)
	var rounds []int
	require.NoError(t, connect(t, server.SuperuserURL("postgres")).QueryRow(t.Context(), `select array_agg(round order by round) from kept`).Scan(&rounds))
	require.Equal(t, []int{0, 1, 2}, rounds)
}

// TestOrphanIsStopped starts where there is no parent's death signal: a server that nobody owns is still running.
func TestOrphanIsStopped(t *testing.T) {
	t.Parallel()
	config := Config{DataDir: newDirectory(t), Volatile: true}
	server, err := Start(t.Context(), config)
	require.NoError(t, err)
	connection := connect(t, server.SuperuserURL("postgres"))
	_, err = connection.Exec(t.Context(), `begin; create table half ()`)
	require.NoError(t, err)
	require.NoError(t, server.lock.Close()) // as if its braid were gone

	again := startServer(t, config)
	require.Error(t, server.Err())
	require.NotEqual(t, server.process.pid, again.process.pid)
	connect(t, again.SuperuserURL("postgres"))
}

// TestRecycledNumberIsNotKilled has postmaster.pid and the socket's lock name a process that is no server: this one.
func TestRecycledNumberIsNotKilled(t *testing.T) {
	t.Parallel()
	config := Config{DataDir: newDirectory(t), Volatile: true}
	server, err := Start(t.Context(), config)
	require.NoError(t, err)
	data := filepath.Join(config.DataDir, "data")
	lock, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	require.NoError(t, err)
	stopServer(t, server)
	_, rest, _ := bytes.Cut(lock, []byte("\n"))
	// A process of the server's own user is what PostgreSQL itself would take for a running server; this one even
	// bears its name, as the server of somebody else's data does.
	owner, err := findAccount(config, data)
	require.NoError(t, err)
	sleep, err := os.ReadFile("/bin/sleep")
	require.NoError(t, err)
	program := filepath.Join(filepath.Dir(config.DataDir), "postgres-elsewhere", "postgres")
	require.NoError(t, os.Mkdir(filepath.Dir(program), 0o755))
	require.NoError(t, os.WriteFile(program, sleep, 0o755))
	bystander, err := startProcess(owner, nil, program, "60")
	require.NoError(t, err)
	t.Cleanup(func() { _ = bystander.signal(syscall.SIGKILL); <-bystander.done })
	stale := append([]byte(strconv.Itoa(bystander.pid)+"\n"), rest...)
	for _, name := range []string{filepath.Join(data, "postmaster.pid"), filepath.Join(server.address.host, ".s.PGSQL.5432.lock")} {
		require.NoError(t, os.WriteFile(name, stale, 0o600))
		require.NoError(t, owner.own(name))
	}

	startServer(t, config)
	require.True(t, bystander.alive())
}

func TestLogHoldsNoValues(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	server, err := Start(t.Context(), Config{DataDir: newDirectory(t), Volatile: true,
		Logger: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.NoError(t, err)
	connection := connect(t, server.SuperuserURL("postgres"))
	for _, statement := range []string{
		`create table secret (word text primary key)`, `insert into secret values ('canary')`,
		`insert into secret values ('canary')`, `select 'canary'::uuid`, `do $$ begin raise warning 'canary'; end $$`,
	} {
		_, _ = connection.Exec(t.Context(), statement)
	}
	stopServer(t, server)
	require.Contains(t, said.String(), "ready to accept connections")
	require.NotContains(t, said.String(), "canary")
	require.NotContains(t, said.String(), server.password)
}

func TestStopThatMayNotWait(t *testing.T) {
	t.Parallel()
	server, err := Start(t.Context(), Config{DataDir: newDirectory(t), Volatile: true})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, server.Stop(ctx))
	require.Error(t, server.Err())
}

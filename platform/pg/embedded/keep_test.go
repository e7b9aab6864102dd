//go:build unix

package embedded

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// keepServer starts a server and keeps it alive until end is called, which reports what Keep returned.
func keepServer(t *testing.T, config Config) (server *Server, end func() error) {
	t.Helper()
	server = startServer(t, config)
	ctx, cancel := context.WithCancel(t.Context())
	kept := make(chan error, 1)
	go func() { kept <- server.Keep(ctx) }()
	ended := false
	end = func() error {
		cancel()
		if ended {
			return nil
		}
		ended = true
		return <-kept
	}
	t.Cleanup(func() { require.NoError(t, end()) })
	return server, end
}

func requireAnswers(t *testing.T, server *Server) {
	t.Helper()
	require.Eventually(t, func() bool { return server.Ready() == nil }, 30*time.Second, 10*time.Millisecond)
}

func TestKilledServerComesBackWithWhatWasCommitted(t *testing.T) {
	t.Parallel()
	for name, loopback := range map[string]bool{"socket": false, "loopback": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, _ := keepServer(t, Config{DataDir: newDirectory(t), Loopback: loopback})
			url := server.SuperuserURL("postgres")
			_, err := connect(t, url).Exec(t.Context(), `create table kept (round integer)`)
			require.NoError(t, err)
			for round := range 3 {
				connection := connect(t, url)
				_, err := connection.Exec(t.Context(), `insert into kept values ($1)`, round)
				require.NoError(t, err)
				victim := server.current()
				killed := victim.pid
				if round == 2 {
					killed = int(connection.PgConn().PID()) // A session that crashes ends the server as well.
				}
				require.NoError(t, syscall.Kill(killed, syscall.SIGKILL))
				<-victim.done
				require.Error(t, server.Ready())
				requireAnswers(t, server)
				require.NotSame(t, victim, server.current())
			}
			var rounds []int
			require.NoError(t, connect(t, url).QueryRow(t.Context(), `select array_agg(round order by round) from kept`).Scan(&rounds))
			require.Equal(t, []int{0, 1, 2}, rounds)
		})
	}
}

// TestServerThatCanNotStartIsTriedAgain takes away what a start needs, as a full disk does, and gives it back.
func TestServerThatCanNotStartIsTriedAgain(t *testing.T) {
	t.Parallel()
	config := Config{DataDir: newDirectory(t), Volatile: true}
	server, end := keepServer(t, config)
	control := filepath.Join(config.DataDir, "data", "global", "pg_control")
	require.NoError(t, os.Rename(control, control+".away"))
	first := server.current()
	require.NoError(t, syscall.Kill(first.pid, syscall.SIGKILL))
	<-first.done
	var failed *process
	require.Eventually(t, func() bool {
		failed = server.current()
		return failed != first && !failed.alive()
	}, 10*time.Second, 5*time.Millisecond, "it is tried")
	require.Eventually(t, func() bool { return server.current() != failed }, 10*time.Second, 5*time.Millisecond, "and tried again")
	require.Error(t, server.Ready())
	require.NoError(t, os.Rename(control+".away", control))
	requireAnswers(t, server)
	connect(t, server.SuperuserURL("postgres"))
	require.NoError(t, end())
}

func TestStoppedServerStaysStopped(t *testing.T) {
	t.Parallel()
	server, err := Start(t.Context(), Config{DataDir: newDirectory(t), Volatile: true})
	require.NoError(t, err)
	kept := make(chan error, 1)
	go func() { kept <- server.Keep(t.Context()) }()
	stopServer(t, server)
	require.NoError(t, <-kept)
	require.Error(t, server.Ready())
	_, err = server.spawn(&logWriter{logger: server.config.Logger})
	require.ErrorIs(t, err, errStopped)
}

// A server that runs but can't be reached is not waited for in silence.
func TestUnreachableServerIsGivenUp(t *testing.T) {
	t.Parallel()
	server := startServer(t, Config{DataDir: newDirectory(t), Volatile: true})
	require.NoError(t, os.RemoveAll(filepath.Join(server.address.host, ".s.PGSQL.5432")))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	begun := time.Now()
	err := server.waitReady(ctx, server.current())
	require.ErrorContains(t, err, "can't be reached")
	require.Less(t, time.Since(begun), silentWait+10*time.Second)
	require.False(t, isRecovering(errors.New("refused")))
}

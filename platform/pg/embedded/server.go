//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Server is a running PostgreSQL. It must be stopped; when this process dies first, the server is stopped by the
// kernel on Linux, and at the next start elsewhere.
type Server struct {
	config    Config
	directory string
	owner     account
	programs  binaries
	password  string
	lock      *os.File
	// address stays what the first start has chosen: the connection strings that were handed out name it.
	address address
	// life ends with Stop; nothing is started after it.
	life context.Context
	end  context.CancelFunc

	mu      sync.Mutex
	process *process
	// log is what that process says.
	log *logWriter
	// answers is false from a start until the server takes connections.
	answers bool
}

const (
	// startAttempts bounds starts that fail because the port was taken or a killed server's memory is still in use.
	startAttempts = 5
	// silentWait is how long a server that runs may leave connections without any answer. One that recovers says so.
	silentWait = 15 * time.Second
	// sayEvery is how often the log tells people what a start is waiting for.
	sayEvery = 5 * time.Second
)

// Start makes the data directory when there is none, stops what a killed braid left running there, starts the server
// and returns when it answers. ErrInUse, ErrVersion, ErrUnreachable, ErrPath and ErrNoServer name what the caller can put right.
func Start(ctx context.Context, config Config) (*Server, error) {
	config = config.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, config.StartTimeout)
	defer cancel()
	server, err := start(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	return server, nil
}

func start(ctx context.Context, config Config) (*Server, error) {
	if config.DataDir == "" {
		return nil, errors.New("the data directory is not given")
	}
	directory, err := prepareDirectory(config.DataDir)
	if err != nil {
		return nil, err
	}
	lock, err := lockDirectory(directory)
	if err != nil {
		return nil, err
	}
	server := &Server{config: config, directory: directory, lock: lock}
	server.life, server.end = context.WithCancel(context.Background())
	if err := server.prepare(ctx); err != nil {
		_ = lock.Close()
		return nil, err
	}
	if err := server.bringUp(ctx, true); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return server, nil
}

// prepareDirectory makes the directory and returns its real path. Others may pass through it, to what is theirs.
func prepareDirectory(name string) (string, error) {
	absolute, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	if err := CheckPath(absolute); err != nil {
		return "", err
	}
	if err := os.MkdirAll(absolute, 0o711); err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(absolute)
	if err != nil {
		return "", err
	}
	if err := CheckPath(real); err != nil {
		return "", err
	}
	info, err := os.Stat(real)
	if err != nil {
		return "", err
	}
	if os.Geteuid() == 0 && info.Mode()&0o001 == 0 {
		if err := os.Chmod(real, info.Mode().Perm()|0o011); err != nil {
			return "", err
		}
	}
	return real, nil
}

func (s *Server) data() string { return filepath.Join(s.directory, "data") }

// prepare finds the programs and makes the data directory when there is none.
func (s *Server) prepare(ctx context.Context) (err error) {
	if s.owner, err = findAccount(s.config, s.data()); err != nil {
		return err
	}
	if err := s.owner.checkReach(s.directory); err != nil {
		return err
	}
	if s.programs, err = findBinaries(ctx, s.config, filepath.Join(s.directory, "server")); err != nil {
		return err
	}
	exists, err := checkVersion(s.data(), s.programs.major)
	if err != nil {
		return err
	}
	if s.password, err = readOrMakePassword(filepath.Join(s.directory, "password")); err != nil || exists {
		return err
	}
	return initialize(ctx, s.programs, s.owner, s.config, s.data(), s.password)
}

// bringUp ends what is left of a server that was killed, and starts one that answers. The first time it also chooses
// where it listens.
func (s *Server) bringUp(ctx context.Context, first bool) error {
	if err := stopOrphan(ctx, s.data(), s.config.Logger); err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		if first {
			var err error
			if s.address, err = chooseAddress(s.config, s.owner, s.directory); err != nil {
				return err
			}
		}
		again, err := s.launch(ctx)
		if err == nil || !again || attempt == startAttempts {
			return err
		}
	}
}

// launch starts the server once. again says that another attempt may succeed.
func (s *Server) launch(ctx context.Context) (again bool, err error) {
	s.address.removeSocket()
	log := &logWriter{logger: s.config.Logger}
	running, err := s.spawn(log)
	if err != nil {
		return false, err
	}
	if err = s.waitReady(ctx, running); err == nil {
		s.mu.Lock()
		s.answers = true
		s.mu.Unlock()
		return false, nil
	}
	_ = running.signal(syscall.SIGQUIT)
	select {
	case <-running.done:
	case <-time.After(hardWait):
		_ = running.signal(syscall.SIGKILL)
		<-running.done
	}
	words := strings.Join(log.last(), "; ")
	again = ctx.Err() == nil && (strings.Contains(words, "Address already in use") ||
		strings.Contains(words, "pre-existing shared memory block"))
	return again, fmt.Errorf("%w; it said: %s", err, words)
}

func (s *Server) spawn(log *logWriter) (*process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil {
		return nil, errStopped
	}
	program := s.programs.path("postgres")
	running, err := startProcess(s.owner, log, program, serverArguments(s.config, s.data(), s.address)...)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", program, err)
	}
	s.process, s.log, s.answers = running, log, false
	return running, nil
}

// waitReady connects until the server answers, which it does only after crash recovery. How long that takes depends on
// what was written, so one that says it recovers is waited for; one that says nothing is not.
func (s *Server) waitReady(ctx context.Context, running *process) error {
	poll, say := time.NewTicker(20*time.Millisecond), time.NewTicker(sayEvery)
	defer poll.Stop()
	defer say.Stop()
	silent := time.NewTimer(silentWait)
	defer silent.Stop()
	for {
		err := s.greet(ctx)
		if err == nil {
			return nil
		}
		if isRecovering(err) {
			silent.Reset(silentWait)
		}
		select {
		case <-running.done:
			return fmt.Errorf("the server ended: %w", running.err)
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w", err)
		case <-silent.C:
			return fmt.Errorf("the server runs, but can't be reached for %s: %w", silentWait, err)
		case <-say.C:
			s.config.Logger.WarnContext(ctx, "waiting for PostgreSQL to answer", slog.Any("error", err))
		case <-poll.C:
		}
	}
}

// greet connects once.
func (s *Server) greet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sayEvery)
	defer cancel()
	connection, err := s.connect(ctx, "postgres")
	if err != nil {
		return err
	}
	return connection.Close(ctx)
}

// isRecovering reports whether the server itself has said that it takes no connections yet.
func isRecovering(err error) bool {
	var said *pgconn.PgError
	return errors.As(err, &said) && said.Code == "57P03" // cannot_connect_now
}

func (s *Server) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	return pgx.Connect(ctx, s.SuperuserURL(database))
}

// Major returns the server's major version.
func (s *Server) Major() int { return s.programs.major }

func (s *Server) current() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

// Done is closed when the server that runs now has ended, asked or not.
func (s *Server) Done() <-chan struct{} { return s.current().done }

// Err says why the server ended; nil while it runs.
func (s *Server) Err() error {
	running := s.current()
	if running.alive() {
		return nil
	}
	return running.err
}

// Stop shuts the server down: open transactions are rolled back and everything is written. When ctx ends first, the
// server is stopped without its last checkpoint, which costs only the recovery at the next start.
func (s *Server) Stop(ctx context.Context) error {
	defer func() { _ = s.lock.Close() }()
	s.mu.Lock()
	s.end()
	running := s.process
	s.mu.Unlock()
	err := running.signal(syscall.SIGINT)
	select {
	case <-running.done:
		return err
	case <-ctx.Done():
	}
	for _, signal := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGKILL} {
		err = errors.Join(err, running.signal(signal))
		timer := time.NewTimer(hardWait)
		select {
		case <-running.done:
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
	return errors.Join(err, fmt.Errorf("stop PostgreSQL %d: it does not end", running.pid))
}

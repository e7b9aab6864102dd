//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a running PostgreSQL. It must be stopped; when this process dies first, the server is stopped by the
// kernel on Linux, and at the next start elsewhere.
type Server struct {
	config   Config
	process  *process
	address  address
	password string
	lock     *os.File
	major    int
}

// startAttempts bounds starts that fail because the port was taken or a killed server's memory is still in use.
const startAttempts = 5

// Start makes the data directory when there is none, stops what a killed braid left running there, starts the server
// and returns when it answers. ErrInUse, ErrVersion, ErrUnreachable and ErrNoServer name what the caller can put right.
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
	server := &Server{config: config, lock: lock}
	if err := server.run(ctx, directory); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return server, nil
}

// prepareDirectory makes the directory and returns its real path. Others may pass through it, to what is theirs.
func prepareDirectory(name string) (string, error) {
	if err := os.MkdirAll(name, 0o711); err != nil {
		return "", err
	}
	absolute, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(absolute)
	if err != nil {
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

func (s *Server) run(ctx context.Context, directory string) error {
	data := filepath.Join(directory, "data")
	owner, err := findAccount(s.config, data)
	if err != nil {
		return err
	}
	if err := owner.checkReach(directory); err != nil {
		return err
	}
	programs, err := findBinaries(ctx, s.config, filepath.Join(directory, "server"))
	if err != nil {
		return err
	}
	s.major = programs.major
	exists, err := checkVersion(data, programs.major)
	if err != nil {
		return err
	}
	if s.password, err = readOrMakePassword(filepath.Join(directory, "password")); err != nil {
		return err
	}
	if exists {
		if err := stopOrphan(ctx, data, s.config.Logger); err != nil {
			return err
		}
	} else if err := initialize(ctx, programs, owner, s.config, data, s.password); err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		again, err := s.launch(ctx, programs, owner, directory)
		if err == nil || !again || attempt == startAttempts {
			return err
		}
	}
}

// launch starts the server once. again says that another attempt may succeed.
func (s *Server) launch(ctx context.Context, programs binaries, owner account, directory string) (again bool, err error) {
	if s.address, err = chooseAddress(s.config, owner, directory); err != nil {
		return false, err
	}
	s.address.removeSocket()
	log := &logWriter{logger: s.config.Logger}
	data := filepath.Join(directory, "data")
	s.process, err = startProcess(owner, log, programs.path("postgres"), serverArguments(s.config, data, s.address)...)
	if err != nil {
		return false, fmt.Errorf("run %s: %w", programs.path("postgres"), err)
	}
	err = s.waitReady(ctx)
	if err == nil {
		return false, nil
	}
	_ = s.process.signal(syscall.SIGQUIT)
	select {
	case <-s.process.done:
	case <-time.After(hardWait):
		_ = s.process.signal(syscall.SIGKILL)
		<-s.process.done
	}
	words := strings.Join(log.last(), "; ")
	again = ctx.Err() == nil && (strings.Contains(words, "Address already in use") ||
		strings.Contains(words, "pre-existing shared memory block"))
	return again, fmt.Errorf("%w; it said: %s", err, words)
}

// waitReady connects until the server answers, which it does only after crash recovery.
func (s *Server) waitReady(ctx context.Context) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		connection, err := s.connect(ctx, "postgres")
		if err == nil {
			return connection.Close(ctx)
		}
		select {
		case <-s.process.done:
			return fmt.Errorf("the server ended: %w", s.process.err)
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w", err)
		case <-ticker.C:
		}
	}
}

func (s *Server) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	return pgx.Connect(ctx, s.SuperuserURL(database))
}

// Major returns the server's major version.
func (s *Server) Major() int { return s.major }

// Done is closed when the server has ended, asked or not.
func (s *Server) Done() <-chan struct{} { return s.process.done }

// Err says why the server ended; nil while it runs.
func (s *Server) Err() error {
	if s.process.alive() {
		return nil
	}
	return s.process.err
}

// Stop shuts the server down: open transactions are rolled back and everything is written. When ctx ends first, the
// server is stopped without its last checkpoint, which costs only the recovery at the next start.
func (s *Server) Stop(ctx context.Context) error {
	defer func() { _ = s.lock.Close() }()
	err := s.process.signal(syscall.SIGINT)
	select {
	case <-s.process.done:
		return err
	case <-ctx.Done():
	}
	for _, signal := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGKILL} {
		err = errors.Join(err, s.process.signal(signal))
		timer := time.NewTimer(hardWait)
		select {
		case <-s.process.done:
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
	return errors.Join(err, fmt.Errorf("stop PostgreSQL %d: it does not end", s.process.pid))
}

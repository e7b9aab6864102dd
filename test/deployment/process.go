package deployment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const (
	readyTimeout = 60 * time.Second
	readyPoll    = 20 * time.Millisecond
	stopTimeout  = 30 * time.Second
)

// program is one operating system process of a deployment, that can be killed and started again.
type program struct {
	name      string
	command   string
	arguments []string
	// environment is all that the process sees.
	environment []string
	directory   string
	// url is where a braid process serves.
	url string
	// ready is asked until it answers nil.
	ready func(ctx context.Context) error
	// logs is the file that the output is added to.
	logs string
	// stopStatus is what a clean end on SIGTERM exits with; a Java machine says 143.
	stopStatus int

	running *exec.Cmd
	ended   chan struct{}
	// result is what the process ended with; read it after ended is closed.
	result error
}

// start runs the program and returns when it is ready, or says how it ended.
func (p *program) start(ctx context.Context) error {
	if err := p.launch(); err != nil {
		return err
	}
	return p.awaitReady(ctx)
}

// awaitReady waits until a launched program is ready.
func (p *program) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	ticker := time.NewTicker(readyPoll)
	defer ticker.Stop()
	for {
		err := p.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended before it was ready: %w; see %s", p.name, p.result, p.logs)
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w; see %s", p.name, err, p.logs)
		case <-ticker.C:
		}
	}
}

func (p *program) launch() error {
	log, err := os.OpenFile(p.logs, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	command := exec.Command(p.command, p.arguments...)
	command.Env, command.Dir, command.Stdout, command.Stderr = p.environment, p.directory, log, log
	// A test that dies must not leave its processes behind.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		return fmt.Errorf("run %s: %w", p.name, err)
	}
	p.running, p.ended = command, make(chan struct{})
	go func(ended chan struct{}) {
		p.result = command.Wait()
		close(ended)
	}(p.ended)
	return nil
}

// kill ends the process as the kernel does when memory runs out: at once, without a word.
func (p *program) kill() error {
	if p.running == nil {
		return nil
	}
	if err := p.running.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	p.running = nil
	return nil
}

// stop asks the process to end and returns an error when it does not end cleanly in time.
func (p *program) stop() error {
	if p.running == nil {
		return nil
	}
	if err := p.running.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
		status := p.running.ProcessState.ExitCode()
		p.running = nil
		if p.result == nil || status == p.stopStatus {
			return nil
		}
		return fmt.Errorf("%s ended badly: %w; see %s", p.name, p.result, p.logs)
	case <-time.After(stopTimeout):
		_ = p.kill()
		return fmt.Errorf("%s did not stop in %s; see %s", p.name, stopTimeout, p.logs)
	}
}

// httpReady asks a readiness page.
func httpReady(url string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
		if err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answered %d: %s", url, response.StatusCode, body)
		}
		return nil
	}
}

// dialReady asks whether a port takes connections.
func dialReady(address string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return connection.Close()
	}
}

// Ports are taken from below those that systems give to outgoing connections: one of these could come in between, above
// all while a part that was killed is down.
const (
	firstPort = 12_000
	ports     = 18_000
	portTries = 100
)

// freeAddresses returns loopback addresses that nobody listens on now.
func freeAddresses(count int) ([]string, error) {
	var addresses []string
	for range count * portTries {
		listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+rand.IntN(ports))))
		if err != nil {
			continue
		}
		defer func() { _ = listener.Close() }()
		if addresses = append(addresses, listener.Addr().String()); len(addresses) == count {
			return addresses, nil
		}
	}
	return nil, errors.New("no free ports")
}

// repository finds the root of the checkout, where bin/ and .cache/ are.
func repository() (string, error) {
	directory, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(directory, "go.mod")); err == nil {
			return directory, nil
		}
		parent := filepath.Dir(directory)
		if parent == directory {
			return "", errors.New("run this inside a checkout of braid")
		}
		directory = parent
	}
}

package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	readyTimeout = 30 * time.Second
	readyPoll    = 5 * time.Millisecond
	stopTimeout  = 15 * time.Second
)

// child is a process of ours.
type child struct {
	name   string
	logs   string
	run    *exec.Cmd
	ended  chan struct{}
	result error
}

// startChild runs the binary and returns when ready answers 200. environment is all that it sees of ours.
func startChild(ctx context.Context, binary, logs, name, ready string, environment []string, arguments ...string) (*child, error) {
	log, err := os.OpenFile(logs, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	command := exec.Command(binary, arguments...)
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir()}, environment...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = childAttributes()
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("run %s: %w", name, err)
	}
	started := &child{name: name, logs: logs, run: command, ended: make(chan struct{})}
	go func() {
		started.result = command.Wait()
		close(started.ended)
	}()
	if err := started.awaitReady(ctx, ready); err != nil {
		return nil, errors.Join(err, started.stop())
	}
	return started, nil
}

func (c *child) awaitReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		if isReady(ctx, url) {
			return nil
		}
		select {
		case <-c.ended:
			return fmt.Errorf("%s ended before it was ready: %w", c.name, errors.Join(c.result, c.lastWords()))
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", c.name, errors.Join(ctx.Err(), c.lastWords()))
		case <-time.After(readyPoll):
		}
	}
}

func isReady(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func (c *child) pid() int { return c.run.Process.Pid }

// stop asks the process to end, and makes it when it does not.
func (c *child) stop() error {
	if c == nil {
		return nil
	}
	if err := c.run.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-c.ended:
		if c.result != nil {
			return fmt.Errorf("%s ended badly: %w", c.name, c.result)
		}
		return nil
	case <-time.After(stopTimeout):
		_ = c.run.Process.Kill()
		<-c.ended
		return fmt.Errorf("%s did not stop in %s", c.name, stopTimeout)
	}
}

const shownLog = 2 << 10

// lastWords is the end of what the process said, as an error to join to another.
func (c *child) lastWords() error {
	if c == nil {
		return nil
	}
	content, err := os.ReadFile(c.logs)
	if err != nil {
		return err
	}
	return fmt.Errorf("%s said last: %s", c.name, content[max(0, len(content)-shownLog):])
}

// freeAddresses returns loopback addresses that nobody listens on now.
func freeAddresses(count int) ([]string, error) {
	addresses := make([]string, 0, count)
	for range count {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = listener.Close() }()
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}

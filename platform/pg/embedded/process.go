//go:build unix

package embedded

import (
	"errors"
	"io"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// outputDelay bounds the wait for the end of the output once the server itself has exited.
const outputDelay = 5 * time.Second

// process is a running server. Its exit is seen exactly once, by the goroutine that started it.
type process struct {
	pid  int
	done chan struct{}
	err  error // valid once done is closed
}

// startProcess starts the server as the account, in a process group of its own: Ctrl-C is for braid, which then stops
// the server in its turn.
func startProcess(owner account, output io.Writer, program string, arguments ...string) (*process, error) {
	command := exec.Command(program, arguments...)
	command.Dir = "/"
	command.Env = serverEnvironment()
	command.Stdout, command.Stderr = output, output
	command.SysProcAttr = serverAttributes(owner)
	// The server's children hold the output open; when it is killed they end a moment later, on their own.
	command.WaitDelay = outputDelay
	started := make(chan error, 1)
	running := &process{done: make(chan struct{})}
	go func() {
		// Linux sends the parent's death signal when the thread that forked ends, not the process: this one stays
		// until the child is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(running.done)
		if err := command.Start(); err != nil {
			running.err = err
			started <- err
			return
		}
		running.pid = command.Process.Pid
		started <- nil
		running.err = command.Wait()
		if running.err == nil {
			running.err = errors.New("the server exited")
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return running, nil
}

// credentials returns attributes for a child of the account.
func credentials(owner account) *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if owner.other {
		attributes.Credential = &syscall.Credential{Uid: uint32(owner.uid), Gid: uint32(owner.gid)}
	}
	return attributes
}

// serverEnvironment hands nothing of ours on: neither secrets nor a locale nor PG variables.
func serverEnvironment() []string {
	return []string{"LC_ALL=C", "PATH=/usr/bin:/bin", "TZ=UTC"}
}

// alive reports whether the process has not exited.
func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal sends a signal to the server; one that has just exited is no error.
func (p *process) signal(signal syscall.Signal) error {
	if !p.alive() {
		return nil
	}
	if err := syscall.Kill(p.pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// Package filelock takes advisory locks on files, between the processes of one machine. A lock ends when its file is
// closed, and so with its process, however that ends.
package filelock

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// ErrHeld says that another process kept the lock for all of the patience.
var ErrHeld = errors.New("another process holds the lock")

// poll is how often the lock is tried: its holder tells nobody when it is free.
const poll = 20 * time.Millisecond

// Take locks an open file or directory for this process alone, and waits at most as long as patience for another
// holder. Even where a living holder is refused, a moment of patience is right: a process that was just killed, or a
// child between fork and exec, holds a copy of the descriptor for some milliseconds longer.
func Take(file *os.File, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		held := errors.Is(err, syscall.EWOULDBLOCK)
		switch {
		case !held && !errors.Is(err, syscall.EINTR):
			return err
		case time.Now().After(deadline):
			return errors.Join(ErrHeld, err)
		}
		time.Sleep(poll) //nolint:forbidigo // The lock of another process tells nobody when it is free; the loop is bounded.
	}
}

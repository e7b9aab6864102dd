package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/braidhq/braid/platform/filelock"
)

const (
	privateMode    = 0o600
	privateDirMode = 0o700
	publicMode     = 0o644
	maxFileBytes   = 1 << 20

	// lockPatience bounds the wait for another process that makes keys in the same directory.
	lockPatience = 5 * time.Second
)

// readPrivate reads a file that nobody but its owner may read or write.
func readPrivate(path string) ([]byte, error) {
	return readChecked(path, func(mode fs.FileMode) error {
		if mode.Perm()&0o077 != 0 {
			return fmt.Errorf("%s can be read by others (mode %04o): run chmod 600 on it, and think about who may "+
				"have read it", path, mode.Perm())
		}
		return nil
	})
}

// readUnwritable reads a file that nobody but its owner may write.
func readUnwritable(path string) ([]byte, error) {
	return readChecked(path, func(mode fs.FileMode) error {
		if mode.Perm()&0o022 != 0 {
			return fmt.Errorf("%s can be written by others (mode %04o): run chmod 644 on it, and check its content",
				path, mode.Perm())
		}
		return nil
	})
}

// readChecked checks the opened file, not the path, which could have been replaced in between.
func readChecked(path string, check func(fs.FileMode) error) ([]byte, error) {
	// Without O_NONBLOCK, opening a named pipe would wait for its writer.
	opened, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = opened.Close() }()
	info, err := opened.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return nil, fmt.Errorf("%s belongs to another user (uid %d)", path, stat.Uid)
	}
	if err := check(info.Mode()); err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(opened, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxFileBytes {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFileBytes)
	}
	return content, nil
}

// createPrivate writes a new file so that it is there whole or not at all; an existing one is fs.ErrExist.
func createPrivate(path string, content []byte) error {
	return writeWhole(path, content, privateMode, os.Link)
}

// replacePublic writes a file so that readers see the old content or the new.
func replacePublic(path string, content []byte) error {
	return writeWhole(path, content, publicMode, os.Rename)
}

// writeWhole writes beside path and moves the result there with place, synced before and after.
func writeWhole(path string, content []byte, mode fs.FileMode, place func(from, to string) error) error {
	// CreateTemp makes files with mode 0600, so that the content is never readable by others on its way.
	temporary, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // after a rename there is nothing left to remove
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Chmod(mode), temporary.Sync(), temporary.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := place(temporary.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	opened, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(opened.Sync(), opened.Close())
}

// lockDir keeps other processes from making keys in the same directory until unlock is called.
func lockDir(dir string) (unlock func(), err error) {
	opened, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := filelock.Take(opened, lockPatience); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), opened.Close())
	}
	return func() { _ = opened.Close() }, nil // closing gives the lock back
}

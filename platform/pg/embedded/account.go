//go:build unix

package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/braidhq/braid/platform/filelock"
)

// account is the user the server runs as.
type account struct {
	uid, gid int
	name     string
	// other says that it is not the user we run as, so files must be given to it.
	other bool
}

// findAccount chooses the user: ourselves, unless we are root, whom PostgreSQL refuses to serve.
func findAccount(config Config, data string) (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid(), name: "uid " + strconv.Itoa(os.Geteuid())}, nil
	}
	wanted := config.UID
	if wanted == 0 {
		if info, err := os.Stat(data); err == nil {
			if owner, ok := info.Sys().(*syscall.Stat_t); ok {
				wanted = int(owner.Uid)
			}
		}
	}
	known, err := user.LookupId(strconv.Itoa(wanted))
	if wanted == 0 {
		known, err = user.Lookup("nobody")
	}
	if err != nil {
		if wanted == 0 {
			return account{}, fmt.Errorf("find the user to run PostgreSQL as: %w", err)
		}
		return account{uid: wanted, gid: wanted, name: "uid " + strconv.Itoa(wanted), other: true}, nil
	}
	uid, err := strconv.Atoi(known.Uid)
	if err != nil {
		return account{}, fmt.Errorf("find the user to run PostgreSQL as: %w", err)
	}
	gid, err := strconv.Atoi(known.Gid)
	if err != nil {
		return account{}, fmt.Errorf("find the user to run PostgreSQL as: %w", err)
	}
	return account{uid, gid, known.Username, true}, nil
}

// own gives a file or directory to the account.
func (a account) own(name string) error {
	if !a.other {
		return nil
	}
	return os.Lchown(name, a.uid, a.gid)
}

// checkReach refuses a directory that the account could not get to.
func (a account) checkReach(directory string) error {
	if !a.other {
		return nil
	}
	for current := directory; ; current = filepath.Dir(current) {
		info, err := os.Stat(current)
		if err != nil {
			return err
		}
		if !a.mayPass(info) {
			return fmt.Errorf("%w: %s (mode %04o) is closed to user %s, as whom PostgreSQL runs because braid is root; "+
				"choose a data directory below an open one, such as /var/lib, or run braid as another user",
				ErrUnreachable, current, info.Mode().Perm(), a.name)
		}
		if current == filepath.Dir(current) {
			return nil
		}
	}
}

func (a account) mayPass(info fs.FileInfo) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	switch {
	case int(owner.Uid) == a.uid:
		return info.Mode()&0o100 != 0
	case int(owner.Gid) == a.gid:
		return info.Mode()&0o010 != 0
	}
	return info.Mode()&0o001 != 0
}

// makeDirectory makes a directory that belongs to the account and is closed to everybody else.
func (a account) makeDirectory(name string) error {
	if err := os.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(name)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || (int(owner.Uid) != a.uid && int(owner.Uid) != os.Geteuid()) {
		return fmt.Errorf("%s: not a directory of ours", name)
	}
	return errors.Join(os.Chmod(name, 0o700), a.own(name))
}

// lockPatience is for a braid that was just killed; a living one is refused after it.
const lockPatience = time.Second

// lockDirectory takes the data directory for this process; the lock ends with it, however it ends.
func lockDirectory(directory string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(directory, "lock"), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := filelock.Take(file, lockPatience); err != nil {
		_ = file.Close()
		if errors.Is(err, filelock.ErrHeld) {
			return nil, fmt.Errorf("%w: %s", ErrInUse, directory)
		}
		return nil, fmt.Errorf("lock %s: %w", directory, err)
	}
	return file, nil
}

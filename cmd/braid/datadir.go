package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/braidhq/braid/platform/filelock"
)

// layoutVersion is the version of what a data directory holds. It grows when an older braid could do harm to it.
const layoutVersion = 1

// lockPatience is for a braid that was just killed; a living one is refused after it.
const lockPatience = time.Second

// holdDataDir makes the data directory when it is missing and holds it for this process until release is called. One
// that another braid uses, or that a newer one has written, is left untouched.
func holdDataDir(dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	if err := checkLayout(dir); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "braid.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if err := filelock.Take(lock, lockPatience); err != nil {
		_ = lock.Close()
		if errors.Is(err, filelock.ErrHeld) {
			return nil, fmt.Errorf("another braid uses the data directory %s: stop it, or choose another with --data-dir", dir)
		}
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	release = func() { _ = lock.Close() }
	if err := os.WriteFile(layoutFile(dir), []byte(strconv.Itoa(layoutVersion)+"\n"), 0o644); err != nil {
		release()
		return nil, fmt.Errorf("write data directory: %w", err)
	}
	return release, nil
}

func layoutFile(dir string) string { return filepath.Join(dir, "VERSION") }

func checkLayout(dir string) error {
	text, err := os.ReadFile(layoutFile(dir))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read data directory: %w", err)
	}
	found, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("%s holds no version: is %s a data directory of braid?", layoutFile(dir), dir)
	}
	if found > layoutVersion {
		return fmt.Errorf("the data directory %s was written by a newer braid (layout %d, this one knows %d): nothing was changed", dir, found, layoutVersion)
	}
	return nil
}

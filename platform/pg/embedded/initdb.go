//go:build unix

package embedded

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// superuser is the server's own administrator. Nothing but this package logs in as it.
const superuser = "braid_superuser"

// accessRules lets nobody in without the password, not even over the socket: any process of our user could open it.
const accessRules = `# TYPE  DATABASE  USER  ADDRESS       METHOD
local   all       all                 scram-sha-256
host    all       all   127.0.0.1/32  scram-sha-256
`

// readOrMakePassword returns the superuser's password, kept in a file that only we can read. It exists before the data
// directory does, so a kill in between leaves nothing behind that has a password nobody knows.
func readOrMakePassword(name string) (string, error) {
	content, err := os.ReadFile(name)
	if err == nil {
		if password := strings.TrimSpace(string(content)); password != "" {
			return password, nil
		}
		return "", fmt.Errorf("read the server's password: %s is empty", name)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the server's password: %w", err)
	}
	var secret [32]byte
	_, _ = rand.Read(secret[:])
	password := hex.EncodeToString(secret[:])
	temporary := name + ".new"
	if err := writeSynced(temporary, []byte(password+"\n")); err != nil {
		return "", fmt.Errorf("write the server's password: %w", err)
	}
	if err := errors.Join(os.Rename(temporary, name), syncDirectory(filepath.Dir(name))); err != nil {
		return "", fmt.Errorf("write the server's password: %w", err)
	}
	return password, nil
}

// checkVersion refuses data of another major version before anything touches it. It reports whether there is data.
func checkVersion(data string, major int) (bool, error) {
	content, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		entries, err := os.ReadDir(data)
		if err == nil && len(entries) > 0 {
			return false, fmt.Errorf("%w: %s is not empty, but holds no PG_VERSION", ErrVersion, data)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("read the data directory: %w", err)
		}
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the data directory's version: %w", err)
	}
	version := strings.TrimSpace(string(content))
	if version != strconv.Itoa(major) {
		return false, fmt.Errorf("%w: %s was written by PostgreSQL %s, this one is %d; "+
			"move the data with pg_dump or pg_upgrade, or choose another data directory", ErrVersion, data, version, major)
	}
	return true, nil
}

// attemptSuffix begins what follows the data directory's name where one is being made.
const attemptSuffix = ".new-"

// initialize makes a data directory. It works beside the final place and moves the result there once it is on disk, so
// a kill on the way leaves no half of one.
func initialize(ctx context.Context, programs binaries, owner account, config Config, data, password string) error {
	if err := removeAttempts(data); err != nil {
		return err
	}
	attempt, err := os.MkdirTemp(filepath.Dir(data), filepath.Base(data)+attemptSuffix)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(attempt) }()
	if err := owner.makeDirectory(attempt); err != nil {
		return err
	}
	// initdb, as another user, can read neither our password file nor a pipe of ours.
	secret := filepath.Join(attempt, "password")
	if err := errors.Join(writeSynced(secret, []byte(password+"\n")), owner.own(secret)); err != nil {
		return err
	}
	fresh := filepath.Join(attempt, "data")
	arguments := []string{
		"--pgdata=" + fresh, "--username=" + superuser, "--pwfile=" + secret, "--auth=scram-sha-256",
		"--encoding=UTF8", "--no-instructions", "--no-sync",
		"--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
	}
	if config.Volatile {
		arguments = append(arguments, "--wal-segsize=1")
	}
	if err := runProgram(ctx, owner, programs.path("initdb"), arguments...); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	rules := filepath.Join(fresh, "pg_hba.conf")
	if err := os.WriteFile(rules, []byte(accessRules), 0o600); err != nil {
		return fmt.Errorf("write the access rules: %w", err)
	}
	if !config.Volatile {
		if err := runProgram(ctx, owner, programs.path("initdb"), "--sync-only", "--pgdata="+fresh); err != nil {
			return fmt.Errorf("write the data directory to disk: %w", err)
		}
	}
	return errors.Join(os.Rename(fresh, data), syncDirectory(filepath.Dir(data)))
}

// removeAttempts goes by the names themselves: as a pattern, the path could match what is another's.
func removeAttempts(data string) error {
	parent, prefix := filepath.Split(data)
	entries, err := os.ReadDir(parent)
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), prefix+attemptSuffix) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(parent, entry.Name())))
		}
	}
	return err
}

// runProgram runs a program to its end; its words are part of the error.
func runProgram(ctx context.Context, owner account, program string, arguments ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, program, arguments...)
	command.Dir = "/"
	command.Env = serverEnvironment()
	command.SysProcAttr = serverAttributes(owner)
	command.WaitDelay = outputDelay
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(program), err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}

func writeSynced(name string, content []byte) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Sync(), file.Close())
}

func syncDirectory(name string) error {
	directory, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}

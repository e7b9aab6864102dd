//go:build unix

package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Running tells how to reach a server that another process of ours runs. It can neither stop nor change it.
type Running struct{ server Server }

// Attach finds the server that runs in a data directory. Whoever may read the password there may do everything in the
// server: this is for tools that run beside an `up` of their own, such as the benchmark, never for a service.
func Attach(dataDir string) (*Running, error) {
	running, err := attach(dataDir)
	if err != nil {
		return nil, fmt.Errorf("find the PostgreSQL in %s: %w", dataDir, err)
	}
	return running, nil
}

func attach(dataDir string) (*Running, error) {
	password, err := os.ReadFile(filepath.Join(dataDir, "password"))
	if err != nil {
		return nil, err
	}
	// PostgreSQL documents the file's lines: number, directory, start time, port, socket directory, listen address.
	content, err := os.ReadFile(filepath.Join(dataDir, "data", "postmaster.pid"))
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(content), "\n")
	if len(lines) < 6 {
		return nil, errors.New("it is still starting")
	}
	found := address{host: lines[4]}
	if found.host == "" {
		found.host = lines[5]
	}
	if found.port, err = strconv.Atoi(lines[3]); err != nil {
		return nil, fmt.Errorf("postmaster.pid: port: %w", err)
	}
	return &Running{Server{password: strings.TrimSpace(string(password)), address: found}}, nil
}

// URL is Server.URL.
func (r *Running) URL(database string) string { return r.server.URL(database) }

// SuperuserURL is Server.SuperuserURL.
func (r *Running) SuperuserURL(database string) string { return r.server.SuperuserURL(database) }

package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// oldestMajor is the oldest PostgreSQL that braid's SQL and roles work with.
const oldestMajor = 17

// binaries are the programs of one PostgreSQL installation.
type binaries struct {
	directory string
	major     int
}

func (b binaries) path(program string) string { return filepath.Join(b.directory, program) }

// findBinaries returns the packed server, unpacked below cache, else the newest one of the machine.
func findBinaries(ctx context.Context, config Config, cache string) (binaries, error) {
	if !config.System {
		opened, err := openBundle(packed)
		if err != nil {
			return binaries{}, err
		}
		if opened != nil {
			directory, err := opened.unpack(cache)
			if err != nil {
				return binaries{}, err
			}
			major, err := strconv.Atoi(regexp.MustCompile(`^\d+`).FindString(opened.Version))
			if err != nil {
				return binaries{}, fmt.Errorf("read the packed server's version %q: %w", opened.Version, err)
			}
			return binaries{filepath.Join(directory, "bin"), major}, nil
		}
	}
	return findSystem(ctx)
}

// findSystem looks along PATH and where distributions put servers, which is usually not on PATH.
func findSystem(ctx context.Context) (binaries, error) {
	var candidates []string
	if found, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(found); err == nil {
			candidates = append(candidates, filepath.Dir(real))
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin",
		"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			return binaries{}, err
		}
		candidates = append(candidates, matches...)
	}
	var newest binaries
	for _, directory := range candidates {
		found := binaries{directory: directory}
		if _, err := os.Stat(found.path("initdb")); err != nil {
			continue
		}
		major, err := readMajor(ctx, found.path("postgres"))
		if err == nil && major > newest.major {
			found.major = major
			newest = found
		}
	}
	if newest.major < oldestMajor {
		return binaries{}, fmt.Errorf("%w: this braid was built without one, and the machine has no version %d or newer; "+
			"install PostgreSQL or give the URL of a server", ErrNoServer, oldestMajor)
	}
	return newest, nil
}

var versionText = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

func readMajor(ctx context.Context, program string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	said, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return 0, err
	}
	match := versionText.FindSubmatch(said)
	if match == nil {
		return 0, errors.New("no version in what it says")
	}
	return strconv.Atoi(string(match[1]))
}

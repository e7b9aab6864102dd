package embedded

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

var (
	// ErrInUse says that another process holds the data directory.
	ErrInUse = errors.New("another braid uses the PostgreSQL data directory")
	// ErrVersion says that the data directory was written by another major version of PostgreSQL.
	ErrVersion = errors.New("the PostgreSQL data directory belongs to another version")
	// ErrUnreachable says that the unprivileged user PostgreSQL has to run as cannot reach the data directory.
	ErrUnreachable = errors.New("the PostgreSQL data directory is out of reach for its user")
	// ErrPath says that PostgreSQL's programs cannot work in a directory of that name.
	ErrPath = errors.New("PostgreSQL can't use the path of its data directory")
	// ErrNoServer says that no PostgreSQL is packed into this program and none was found on the machine.
	ErrNoServer = errors.New("no PostgreSQL server found")
)

// Config says where and how the server runs.
type Config struct {
	// DataDir holds everything of the server: data, unpacked binaries, password, socket. Required; made when missing.
	// When running as root, every directory above it must be open (execute) to the server's user.
	DataDir string
	// UID is the unprivileged user the server runs as when this process is root: the owner of an existing data
	// directory when zero, else the user "nobody".
	UID int
	// Loopback makes the server listen on 127.0.0.1 even where a Unix socket would do.
	Loopback bool
	// Volatile gives up durability for speed. For tests only.
	Volatile bool
	// StartTimeout bounds the time from start to the first answer (10 min: crash recovery included, and a recovery that
	// is broken off begins again).
	StartTimeout time.Duration
	// System skips the packed server and uses the machine's.
	System bool
	Logger *slog.Logger
}

// CheckPath refuses a data directory in whose path there is a character that PostgreSQL can't bear: its programs call
// each other by full path through a shell, in double quotes, and write the path on a line of a file.
func CheckPath(directory string) error {
	if !utf8.ValidString(directory) {
		return fmt.Errorf("%w: %q is not UTF-8", ErrPath, directory)
	}
	at := strings.IndexFunc(directory, func(character rune) bool {
		return strings.ContainsRune("$`\"\\", character) || unicode.IsControl(character)
	})
	if at < 0 {
		return nil
	}
	character, _ := utf8.DecodeRuneInString(directory[at:])
	return fmt.Errorf("%w: %q holds the character %q, which a shell would not leave as it is", ErrPath, directory, character)
}

func (c Config) withDefaults() Config {
	c.StartTimeout = cmp.Or(c.StartTimeout, 10*time.Minute)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

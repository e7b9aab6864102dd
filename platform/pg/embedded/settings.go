//go:build unix

package embedded

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	// socketPort names the socket's file; no TCP port is opened with it.
	socketPort = 5432
	// maxSocketPath keeps ".s.PGSQL.5432.lock" within sockaddr_un on every system.
	maxSocketPath = 100
)

// address is where the server listens: a socket's directory, or the loopback interface.
type address struct {
	host string
	port int
}

// chooseAddress returns a socket in the data directory when the path is short enough, else one in a directory of the
// system's for temporary files, else a free loopback port.
func chooseAddress(config Config, owner account, directory string) (address, error) {
	if !config.Loopback {
		sum := sha256.Sum256([]byte(directory))
		for _, candidate := range []string{
			filepath.Join(directory, "socket"),
			filepath.Join(os.TempDir(), "braid-"+hex.EncodeToString(sum[:6])),
		} {
			// Lists of directories and of hosts are cut at commas, and there is no way to quote one for both.
			if len(candidate)+len("/.s.PGSQL.5432.lock") > maxSocketPath || strings.ContainsAny(candidate, `,"`) ||
				owner.checkReach(filepath.Dir(candidate)) != nil {
				continue
			}
			if err := owner.makeDirectory(candidate); err == nil {
				return address{candidate, socketPort}, nil
			}
		}
	}
	// PostgreSQL cannot choose a port itself. Between here and its start another process may take this one: Start
	// then tries again.
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return address{}, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	bound, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return address{}, fmt.Errorf("find a free port: %s is no TCP address", listener.Addr())
	}
	return address{"127.0.0.1", bound.Port}, nil
}

func (a address) socket() bool { return filepath.IsAbs(a.host) }

// removeSocket deletes the socket's files that a killed server left: their lock names a process that may be anybody's
// by now. The caller has made sure that no server runs.
func (a address) removeSocket() {
	if a.socket() {
		name := filepath.Join(a.host, ".s.PGSQL."+strconv.Itoa(a.port))
		_ = os.Remove(name)
		_ = os.Remove(name + ".lock")
	}
}

// serverArguments are all the settings that differ from PostgreSQL's own; nothing is read from files we did not write.
func serverArguments(config Config, data string, at address) []string {
	settings := [][2]string{
		{"max_connections", "300"},
		{"shared_buffers", "128MB"},
		{"jit", "off"},
		{"timezone", "UTC"},
		{"log_timezone", "UTC"},
		// ERROR lines, statements and details may hold values of rows: they belong in no log.
		{"log_destination", "stderr"},
		{"logging_collector", "off"},
		{"log_line_prefix", ""},
		{"log_min_messages", "log"},
		{"log_min_error_statement", "panic"},
		{"log_error_verbosity", "terse"},
		{"log_checkpoints", "off"},
		{"log_statement", "none"},
		// After a failed fsync or a crash the whole server ends, and Keep starts it anew: one way back for every end.
		{"restart_after_crash", "off"},
		{"unix_socket_permissions", "0700"},
		{"password_encryption", "scram-sha-256"},
	}
	if at.socket() {
		settings = append(settings, [2]string{"listen_addresses", ""}, [2]string{"unix_socket_directories", at.host},
			[2]string{"port", strconv.Itoa(at.port)})
	} else {
		settings = append(settings, [2]string{"listen_addresses", at.host}, [2]string{"unix_socket_directories", ""},
			[2]string{"port", strconv.Itoa(at.port)})
	}
	if config.Volatile {
		settings = append(settings, [2]string{"fsync", "off"}, [2]string{"synchronous_commit", "off"},
			[2]string{"full_page_writes", "off"}, [2]string{"autovacuum", "off"}, [2]string{"max_wal_size", "256MB"})
	} else {
		settings = append(settings, [2]string{"fsync", "on"}, [2]string{"synchronous_commit", "on"},
			[2]string{"full_page_writes", "on"})
	}
	arguments := []string{"-D", data}
	for _, setting := range settings {
		arguments = append(arguments, "-c", setting[0]+"="+setting[1])
	}
	return arguments
}

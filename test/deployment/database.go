package deployment

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/braidhq/braid/platform/pg/embedded"
)

const partPostgres = "postgres"

// database is the PostgreSQL server of a split deployment: the same binaries, run beside braid and not by it.
type database struct {
	directory string
	server    *embedded.Server
}

func (d *database) start(ctx context.Context) error {
	server, err := embedded.Start(ctx, embedded.Config{DataDir: d.directory, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	d.server = server
	return nil
}

// kill kills the postmaster; its children end with it.
func (d *database) kill() error {
	if d.server == nil {
		return nil
	}
	content, err := os.ReadFile(filepath.Join(d.directory, "data", "postmaster.pid"))
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return fmt.Errorf("postmaster.pid: %w", err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	<-d.server.Done()
	// Stop releases the lock on the directory; that the server has ended badly is what was wanted.
	_ = d.server.Stop(context.Background())
	d.server = nil
	return nil
}

func (d *database) stop() error {
	if d.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err := d.server.Stop(ctx)
	d.server = nil
	return err
}

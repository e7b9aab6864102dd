package bench

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/braidhq/braid/platform/pg/embedded"
)

// databases are the instance's, as their administrator sees them.
type databases struct {
	server                                      *embedded.Running
	workflow, organization, notification, audit *pgxpool.Pool
}

func openDatabases(ctx context.Context, dataDir string) (*databases, error) {
	server, err := embedded.Attach(filepath.Join(dataDir, "postgres"))
	if err != nil {
		return nil, err
	}
	opened := &databases{server: server}
	for name, into := range map[string]**pgxpool.Pool{
		"workflow": &opened.workflow, "organization": &opened.organization,
		"notification": &opened.notification, "audit": &opened.audit,
	} {
		if *into, err = openPool(ctx, server.SuperuserURL("braid_"+name), 2); err != nil {
			opened.close()
			return nil, fmt.Errorf("open the database of %s: %w", name, err)
		}
	}
	return opened, nil
}

// openPool opens a bare pool: nothing of platform/pg is in it.
func openPool(ctx context.Context, url string, connections int32) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = connections
	return pgxpool.NewWithConfig(ctx, config)
}

func (d *databases) close() {
	if d == nil {
		return
	}
	for _, pool := range []*pgxpool.Pool{d.workflow, d.organization, d.notification, d.audit} {
		if pool != nil {
			pool.Close()
		}
	}
}

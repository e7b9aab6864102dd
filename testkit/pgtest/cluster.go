package pgtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/braidhq/braid/platform/pg"
)

// prefix begins the name of everything this package makes on a server.
const prefix = "braidtest_"

// ownerLogin owns all test databases. It is no superuser, so that policies bind it.
const ownerLogin = prefix + "owner"

// cluster is the server that a test binary uses.
type cluster struct {
	admin    *url.URL
	password string

	mu        sync.Mutex
	templates map[string]string
}

// sharedCluster starts the server once for the binary. A failure is final: every test would meet it again.
func sharedCluster(ctx context.Context) (*cluster, error) {
	sharedOnce.Do(func() { shared, errShared = newCluster(ctx) })
	return shared, errShared
}

var (
	sharedOnce sync.Once
	shared     *cluster
	errShared  error
)

func newCluster(ctx context.Context) (*cluster, error) {
	address := os.Getenv("BRAID_TEST_DATABASE_URL")
	if address == "" {
		started, err := startServer(ctx)
		if err != nil {
			return nil, err
		}
		address = started
	}
	admin, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("BRAID_TEST_DATABASE_URL is not a URL")
	}
	sum := sha256.Sum256([]byte("pgtest " + address))
	created := &cluster{admin: admin, password: hex.EncodeToString(sum[:16]), templates: map[string]string{}}
	return created, created.ensureOwner(ctx)
}

func (c *cluster) adminURL(database string) string {
	target := *c.admin
	target.Path = "/" + database
	return target.String()
}

func (c *cluster) ownerURL(database string) string {
	target := *c.admin
	target.Path = "/" + database
	target.User = url.UserPassword(ownerLogin, c.password)
	return target.String()
}

// run does some work as the administrator. lock is held meanwhile, also against other test binaries on the server.
func (c *cluster) run(ctx context.Context, lock string, work func(*pgx.Conn) error) error {
	connection, err := pgx.Connect(ctx, c.adminURL("postgres"))
	if err != nil {
		return fmt.Errorf("connect to the test server: %w", pg.Translate(err))
	}
	defer func() { _ = connection.Close(context.WithoutCancel(ctx)) }()
	if lock != "" {
		hash := fnv.New64a()
		_, _ = hash.Write([]byte(prefix + lock))
		if _, err := connection.Exec(ctx, `select pg_advisory_lock($1)`, int64(hash.Sum64())); err != nil {
			return err
		}
	}
	return work(connection)
}

func (c *cluster) ensureOwner(ctx context.Context) error {
	return c.run(ctx, "owner", func(connection *pgx.Conn) error {
		_, err := connection.Exec(ctx, `create role `+ownerLogin+` login nosuperuser nobypassrls password '`+c.password+`'`)
		var server *pgconn.PgError
		if errors.As(err, &server) && server.Code == "42710" {
			_, err = connection.Exec(ctx, `alter role `+ownerLogin+` password '`+c.password+`'`)
		}
		return err
	})
}

// template returns the name of a database in which sets have been migrated, making it when it is the first time. It
// gets its final name only when it is complete.
func (c *cluster) template(ctx context.Context, sets []pg.MigrationSet) (string, error) {
	key, err := fingerprint(sets)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if name, known := c.templates[key]; known {
		return name, nil
	}
	name := prefix + "template_" + key
	err = c.run(ctx, "template "+key, func(connection *pgx.Conn) error {
		var exists bool
		err := connection.QueryRow(ctx, `select exists (select from pg_database where datname = $1)`, name).Scan(&exists)
		if err != nil || exists {
			return err
		}
		return c.buildTemplate(ctx, connection, name, sets)
	})
	if err != nil {
		return "", fmt.Errorf("make the template database: %w", err)
	}
	c.templates[key] = name
	return name, nil
}

func (c *cluster) buildTemplate(ctx context.Context, connection *pgx.Conn, name string, sets []pg.MigrationSet) error {
	building := name + "_new"
	for _, statement := range []string{
		`drop database if exists ` + building + ` with (force)`,
		`create database ` + building + ` owner ` + ownerLogin + ` template template0`,
	} {
		if _, err := connection.Exec(ctx, statement); err != nil {
			return err
		}
	}
	// Policies and grants name roles, not names: the template's are those of its clones, which inherit them.
	if err := pg.EnsureRoles(ctx, connection, building, ownerLogin); err != nil {
		return err
	}
	if len(sets) > 0 {
		err := pg.Migrate(ctx, pg.MigrateConfig{Service: "pgtest", URL: c.ownerURL(building), Sets: sets,
			Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return err
		}
	}
	for _, rename := range [][2]string{
		{pg.AppRole(building), pg.AppRole(name)},
		{pg.WorkerRole(building), pg.WorkerRole(name)},
	} {
		if _, err := connection.Exec(ctx, `drop role if exists `+rename[1]); err != nil {
			return err
		}
		if _, err := connection.Exec(ctx, `alter role `+rename[0]+` rename to `+rename[1]); err != nil {
			return err
		}
	}
	_, err := connection.Exec(ctx, `alter database `+building+` rename to `+name)
	return err
}

// clone makes a test's database. Its roles are members of the template's, so that the template's policies and grants
// hold for them as if they had been written for them.
func (c *cluster) clone(ctx context.Context, name, template string) error {
	return c.run(ctx, "", func(connection *pgx.Conn) error {
		strategy := ` strategy file_copy`
		if _, err := connection.Exec(ctx, `create database `+name+` owner `+ownerLogin+` template `+template+strategy); err != nil {
			return fmt.Errorf("clone the template: %w", err)
		}
		if err := pg.EnsureRoles(ctx, connection, name, ownerLogin); err != nil {
			return err
		}
		for _, pair := range [][2]string{
			{pg.AppRole(template), pg.AppRole(name)},
			{pg.WorkerRole(template), pg.WorkerRole(name)},
		} {
			if _, err := connection.Exec(ctx, `grant `+pair[0]+` to `+pair[1]+` with inherit true, set false`); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *cluster) drop(ctx context.Context, name string) error {
	return c.run(ctx, "", func(connection *pgx.Conn) error {
		for _, statement := range []string{
			`drop database if exists ` + name + ` with (force)`,
			`drop role if exists ` + pg.AppRole(name),
			`drop role if exists ` + pg.WorkerRole(name),
		} {
			if _, err := connection.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

// fingerprint names the content of migrations: any change of a byte or of the order makes another template.
func fingerprint(sets []pg.MigrationSet) (string, error) {
	hash := sha256.New()
	for _, set := range sets {
		_, _ = fmt.Fprintf(hash, "set %q %q\n", set.Name, set.Table)
		err := fs.WalkDir(set.FS, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := fs.ReadFile(set.FS, name)
			_, _ = fmt.Fprintf(hash, "file %q %d\n", name, len(content))
			_, _ = hash.Write(content)
			return err
		})
		if err != nil {
			return "", fmt.Errorf("read migrations of %s: %w", set.Name, err)
		}
	}
	return hex.EncodeToString(hash.Sum(nil)[:8]), nil
}

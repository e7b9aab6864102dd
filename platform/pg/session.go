package pg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrNotPrepared is returned by Open when the roles of the database are missing or not granted to the login:
// migrations have not run there.
var ErrNotPrepared = errors.New("the database is not prepared: run the migrations first")

// ErrTransactionPooled is returned by Open when a pooler hands out server connections per transaction. Session
// settings, prepared statements, LISTEN and advisory locks would silently move to other clients.
var ErrTransactionPooled = errors.New("the database URL leads to a transaction-pooling proxy: use a direct or session-pooled address")

// prepareSession makes a connection ready for use, and refuses it unless it runs under the role it was meant for and
// that role is subject to row-level security.
func prepareSession(role string, settings map[string]string) func(context.Context, *pgx.Conn) error {
	return func(ctx context.Context, connection *pgx.Conn) error {
		registerCodec(connection.TypeMap())
		current, unbound, err := currentRole(ctx, connection)
		if err != nil {
			return err
		}
		if current != role {
			// A session pooler that drops unknown startup parameters leads here.
			if err := applySettings(ctx, connection, settings); err != nil {
				return err
			}
			if current, unbound, err = currentRole(ctx, connection); err != nil {
				return err
			}
		}
		if current != role {
			return fmt.Errorf("take role %s: the session runs as another role", role)
		}
		if unbound {
			return fmt.Errorf("take role %s: it is a superuser or bypasses row-level security", role)
		}
		return nil
	}
}

func currentRole(ctx context.Context, connection *pgx.Conn) (name string, unbound bool, err error) {
	const query = `select rolname::text, rolsuper or rolbypassrls from pg_catalog.pg_roles where rolname = current_user`
	if err := connection.QueryRow(ctx, query, pgx.QueryExecModeExec).Scan(&name, &unbound); err != nil {
		return "", false, fmt.Errorf("read the session's role: %w", err)
	}
	return name, unbound, nil
}

func applySettings(ctx context.Context, connection *pgx.Conn, settings map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if _, err := connection.Exec(ctx, `select set_config($1, $2, false)`, pgx.QueryExecModeExec, name, settings[name]); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return nil
}

// explainConnect names the usual reasons why a role cannot be taken.
func explainConnect(err error) error {
	var server *pgconn.PgError
	if !errors.As(err, &server) {
		return Translate(err)
	}
	switch server.Code {
	case "22023", "42704", "42501": // the role does not exist, or is not granted to the login
		return fmt.Errorf("%w: %w", ErrNotPrepared, err)
	case "3D000":
		return fmt.Errorf("%w: %w", ErrNotPrepared, err)
	}
	return Translate(err)
}

// checkDirect refuses a transaction pooler. Behind one, a server process that a first session has just used serves
// a second session's transaction too; with a process per session that cannot be.
func checkDirect(ctx context.Context, pool *pgxpool.Pool) error {
	first, err := pool.Acquire(ctx)
	if err != nil {
		return explainConnect(err)
	}
	defer first.Release()
	process, err := serverProcess(ctx, first.Conn())
	if err != nil {
		return err
	}
	if process == first.Conn().PgConn().PID() {
		return nil
	}
	second, err := pgx.ConnectConfig(ctx, pool.Config().ConnConfig)
	if err != nil {
		return explainConnect(err)
	}
	defer func() { _ = second.Close(context.WithoutCancel(ctx)) }()
	for range 8 {
		if process, err = serverProcess(ctx, first.Conn()); err != nil {
			return err
		}
		transaction, err := second.Begin(ctx)
		if err != nil {
			return Translate(err)
		}
		other, err := serverProcess(ctx, second)
		if err != nil {
			return err
		}
		after, err := serverProcess(ctx, first.Conn())
		if err != nil {
			return err
		}
		if err := transaction.Rollback(ctx); err != nil {
			return Translate(err)
		}
		if other == process || after != process {
			return ErrTransactionPooled
		}
	}
	return nil
}

func serverProcess(ctx context.Context, connection *pgx.Conn) (uint32, error) {
	var process uint32
	err := connection.QueryRow(ctx, `select pg_backend_pid()::oid`, pgx.QueryExecModeExec).Scan(&process)
	if err != nil {
		return 0, fmt.Errorf("read the server process: %w", Translate(err))
	}
	return process, nil
}

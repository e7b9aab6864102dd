package pg

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// EnsureRoles creates the database's app and worker roles and lets login take them. The roles cannot log in and own
// nothing; login takes them only by SET ROLE, so what it does without is done with no right of theirs. Where all of it
// is in place already, nothing but catalogs is read, so an unprivileged login may call it.
func EnsureRoles(ctx context.Context, connection *pgx.Conn, database, login string) error {
	for _, role := range []string{AppRole(database), WorkerRole(database)} {
		if err := ensureRole(ctx, connection, role); err != nil {
			return fmt.Errorf("create role %s: %w", role, explainRights(err))
		}
		if err := ensureMembership(ctx, connection, role, login); err != nil {
			return fmt.Errorf("grant role %s: %w", role, explainRights(err))
		}
	}
	return nil
}

func ensureRole(ctx context.Context, connection *pgx.Conn, role string) error {
	var exists, unsafe bool
	const query = `select count(*) > 0, coalesce(bool_or(rolsuper or rolbypassrls), false) from pg_catalog.pg_roles where rolname = $1`
	if err := connection.QueryRow(ctx, query, role).Scan(&exists, &unsafe); err != nil {
		return err
	}
	if unsafe {
		return errors.New("it exists and bypasses row-level security")
	}
	if exists {
		return nil
	}
	_, err := connection.Exec(ctx, `create role `+quote(role)+` nologin nosuperuser nobypassrls nocreatedb nocreaterole noinherit`)
	if isDuplicate(err) {
		return nil
	}
	return err
}

func ensureMembership(ctx context.Context, connection *pgx.Conn, role, login string) error {
	// A membership says for itself whether it allows SET ROLE.
	const query = `select exists (select from pg_catalog.pg_auth_members
		where roleid = $1::regrole and member = $2::regrole and set_option)`
	var granted bool
	if err := connection.QueryRow(ctx, query, quote(role), quote(login)).Scan(&granted); err != nil {
		return err
	}
	if granted {
		return nil
	}
	_, err := connection.Exec(ctx, `grant `+quote(role)+` to `+quote(login)+` with set true, inherit false`)
	return err
}

// explainRights says what to do when the migration login may not create or grant roles.
func explainRights(err error) error {
	var server *pgconn.PgError
	if errors.As(err, &server) && server.Code == "42501" {
		return fmt.Errorf("the migration login lacks CREATEROLE: give it that, or create and grant the role by hand: %w", err)
	}
	return err
}

// isDuplicate reports that somebody else created the same role at the same moment.
func isDuplicate(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && (server.Code == "42710" || server.Code == "23505")
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

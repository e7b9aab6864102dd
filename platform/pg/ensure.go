package pg

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// duplicateDatabase is what PostgreSQL answers when another process made the database meanwhile.
const duplicateDatabase = "42P04"

// CheckServerURL returns what is wrong with the connection string of a server, as the end of a sentence that begins with
// it. What EnsureDatabase makes of a good one is a good one.
func CheckServerURL(serverURL string) error {
	_, err := parseServerURL(serverURL)
	return err
}

func parseServerURL(serverURL string) (*url.URL, error) {
	target, err := url.Parse(serverURL)
	if err != nil || (target.Scheme != "postgres" && target.Scheme != "postgresql") {
		return nil, errors.New("must begin with postgres://")
	}
	if _, err := pgx.ParseConfig(serverURL); err != nil {
		// The error repeats the URL, which may hold a password.
		return nil, errors.New("is not a valid PostgreSQL connection string")
	}
	return target, nil
}

// EnsureDatabase makes a database on the server of serverURL when it is missing, and returns its connection string:
// serverURL with the other database's name. The login in it needs CREATEDB, and CREATEROLE for Migrate, unless both
// were used up by an administrator before.
func EnsureDatabase(ctx context.Context, serverURL, name string) (string, error) {
	target, err := parseServerURL(serverURL)
	if err != nil {
		return "", fmt.Errorf("database URL: %w", err)
	}
	target.Path = "/" + name
	connection, err := pgx.Connect(ctx, serverURL)
	if err != nil {
		return "", fmt.Errorf("make database %s: %w", name, explainConnect(err))
	}
	defer func() { _ = connection.Close(context.WithoutCancel(ctx)) }()
	var there bool
	if err := connection.QueryRow(ctx, `select exists (select from pg_database where datname = $1)`, name).Scan(&there); err != nil {
		return "", fmt.Errorf("look for database %s: %w", name, Translate(err))
	}
	if there {
		return target.String(), nil
	}
	_, err = connection.Exec(ctx, `create database `+pgx.Identifier{name}.Sanitize()+` template template0 encoding 'UTF8'`)
	var refused *pgconn.PgError
	if alreadyMade := errors.As(err, &refused) && refused.Code == duplicateDatabase; err != nil && !alreadyMade {
		return "", fmt.Errorf("make database %s: %w", name, Translate(err))
	}
	return target.String(), nil
}

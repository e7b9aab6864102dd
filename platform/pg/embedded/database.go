//go:build unix

package embedded

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/pg"
)

// databaseName is what a database may be called: no quoting needed, and room for the roles' suffixes.
var databaseName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,54}$`)

// EnsureDatabase makes a database, the login that owns it and serves from it, and its app and worker roles. The login
// is no superuser, may create no roles and can open no other database. It may be called again.
func (s *Server) EnsureDatabase(ctx context.Context, name string) error {
	if err := s.ensureDatabase(ctx, name); err != nil {
		return fmt.Errorf("make database %s: %w", name, err)
	}
	return nil
}

func (s *Server) ensureDatabase(ctx context.Context, name string) error {
	if !databaseName.MatchString(name) {
		return fmt.Errorf("the name must match %s", databaseName)
	}
	connection, err := s.connect(ctx, "postgres")
	if err != nil {
		return pg.Translate(err)
	}
	defer func() { _ = connection.Close(context.WithoutCancel(ctx)) }()
	var roles, databases int
	err = connection.QueryRow(ctx, `select (select count(*) from pg_roles where rolname = $1),
		(select count(*) from pg_database where datname = $2)`, ownerRole(name), name).Scan(&roles, &databases)
	if err != nil {
		return pg.Translate(err)
	}
	quoted, owner := pgx.Identifier{name}.Sanitize(), pgx.Identifier{ownerRole(name)}.Sanitize()
	if roles == 0 {
		// The password is hexadecimal, so it needs no quoting; log_statement is off.
		if _, err := connection.Exec(ctx, `create role `+owner+` login nosuperuser nocreatedb nocreaterole nobypassrls
			password '`+s.ownerPassword(name)+`'`); err != nil {
			return pg.Translate(err)
		}
	}
	if databases == 0 {
		if _, err := connection.Exec(ctx, `create database `+quoted+` owner `+owner+` template template0`); err != nil {
			return pg.Translate(err)
		}
	}
	// A kill between the statements leaves some undone: each is repeated until it holds.
	var open bool
	if err := connection.QueryRow(ctx, `select has_database_privilege('public', $1, 'connect')`, name).Scan(&open); err != nil {
		return pg.Translate(err)
	}
	if open {
		if _, err := connection.Exec(ctx, `revoke all on database `+quoted+` from public`); err != nil {
			return pg.Translate(err)
		}
	}
	return pg.Translate(pg.EnsureRoles(ctx, connection, name, ownerRole(name)))
}

func ownerRole(database string) string { return database + "_owner" }

// ownerPassword derives a login's password from the superuser's, so that there is one secret to keep.
func (s *Server) ownerPassword(database string) string {
	mac := hmac.New(sha256.New, []byte(s.password))
	mac.Write([]byte("database owner " + database))
	return hex.EncodeToString(mac.Sum(nil))
}

// URL returns the connection string of a database's login. It holds a password: it is for configuration, not for logs.
func (s *Server) URL(database string) string {
	return s.url(ownerRole(database), s.ownerPassword(database), database)
}

// SuperuserURL is URL for the server's administrator. Services never get it.
func (s *Server) SuperuserURL(database string) string {
	return s.url(superuser, s.password, database)
}

func (s *Server) url(user, password, database string) string {
	target := url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Path: "/" + database}
	query := url.Values{"sslmode": {"disable"}}
	if s.address.socket() {
		query.Set("host", s.address.host)
		query.Set("port", strconv.Itoa(s.address.port))
	} else {
		target.Host = s.address.host + ":" + strconv.Itoa(s.address.port)
	}
	// A space as + is for forms: in a connection string a plus is a plus.
	target.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	return target.String()
}

// Package store owns the tables of the organization service: it turns rows into what domain knows and the database's
// refusals into domain's. It decides nothing, opens no transaction and is the only package here that sees the driver.
package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/store/db"
)

// queued runs statements nobody waits for: they go out with the transaction's next statement or with COMMIT, and their
// errors come from there. It is for queries that return nothing.
type queued struct{ *pg.Tx }

// Exec shadows the transaction's own.
func (q queued) Exec(_ context.Context, sql string, arguments ...any) (pgconn.CommandTag, error) {
	q.Queue(sql, arguments...)
	return pgconn.CommandTag{}, nil
}

func queue(tx *pg.Tx) *db.Queries { return db.New(queued{tx}) }

// EnterOrganization makes the rest of the transaction see and write the rows of an organization: for work that begins
// in none, such as accepting an invitation. Whoever calls it has found out that the work belongs there.
func EnterOrganization(ctx context.Context, tx *pg.Tx, organizationID id.ID) error {
	return queue(tx).EnterOrganization(ctx, organizationID.String())
}

// one turns the result of a read of one row: no row is not found, whoever owns it.
func one(action string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pg.ErrNoRows):
		return errs.ErrNotFound
	}
	return fmt.Errorf("%s: %w", action, err)
}

// inserted turns the result of an insert that gives way to a row that is there: conflict is what that row means.
func inserted(action string, err, conflict error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pg.ErrNoRows):
		return conflict
	}
	return fmt.Errorf("%s: %w", action, err)
}

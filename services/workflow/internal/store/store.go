// Package store keeps projects, tasks, comments and the changes of projects in PostgreSQL: it translates rows into the
// domain and back, and the driver's errors into the domain's. It decides nothing, and publishes nothing.
package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/store/db"
)

// queue makes generated statements go out with the transaction's next one or with COMMIT, which is where their errors
// come back. Statements that answer with rows can't wait and are refused.
type queue struct{ tx *pg.Tx }

var errNotQueued = errors.New("a statement with an answer can't be queued")

// Exec implements db.DBTX.
func (q queue) Exec(_ context.Context, sql string, arguments ...any) (pgconn.CommandTag, error) {
	q.tx.Queue(sql, arguments...)
	return pgconn.CommandTag{}, nil
}

// Query implements db.DBTX.
func (q queue) Query(context.Context, string, ...any) (pgx.Rows, error) { return nil, errNotQueued }

// QueryRow implements db.DBTX.
func (q queue) QueryRow(context.Context, string, ...any) pgx.Row { return refusedRow{} }

type refusedRow struct{}

// Scan implements pgx.Row.
func (refusedRow) Scan(...any) error { return errNotQueued }

func queued(tx *pg.Tx) *db.Queries { return db.New(queue{tx}) }

// explain says what was tried, and turns "no rows" into the domain's refusal.
func explain(action string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pg.ErrNoRows):
		return errs.ErrNotFound
	default:
		return fmt.Errorf("%s: %w", action, pg.Translate(err))
	}
}

// Package store owns the tables of the audit: it turns facts into rows and rows into records. It decides nothing, opens
// no transaction and is the only package here that sees the driver.
package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/audit/internal/store/db"
)

// queue makes generated statements go out with the transaction's next one or with COMMIT, which is where their errors
// come back: a batch of hundreds of events costs one round trip. Statements that answer with rows can't wait.
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

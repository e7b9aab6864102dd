// Package store keeps notifications, preferences, deliveries and the development mailbox in PostgreSQL. It translates
// rows to domain types and back, and decides nothing.
package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/store/db"
)

var errQueued = errors.New("a queued statement has no rows to return")

// queued lets generated statements without a result go out with the next statement of a transaction, or its commit.
type queued struct{ tx *pg.Tx }

var _ db.DBTX = queued{}

// Exec implements db.DBTX.
func (q queued) Exec(_ context.Context, sql string, arguments ...any) (pgconn.CommandTag, error) {
	q.tx.Queue(sql, arguments...)
	return pgconn.CommandTag{}, nil
}

// Query implements db.DBTX.
func (queued) Query(context.Context, string, ...any) (pgx.Rows, error) { return nil, errQueued }

// QueryRow implements db.DBTX.
func (queued) QueryRow(context.Context, string, ...any) pgx.Row { return failedRow{} }

type failedRow struct{}

// Scan implements pgx.Row.
func (failedRow) Scan(...any) error { return errQueued }

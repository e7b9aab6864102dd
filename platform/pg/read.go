package pg

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Read returns a querier whose every statement is one round trip: the scope and the statement go out together, in a
// read-only transaction of their own. Two statements may see two states of the database.
func (db *DB) Read(scope Scope) Querier {
	return &reader{db: db, pool: db.app, before: statement{sql: setReadScope, arguments: scope.arguments()}}
}

// ReadOnePlan is Read for statements whose plan is the same whatever they ask for: it is made once for each connection. For
// a large statement that finds a few rows by key, planning takes most of the time.
func (db *DB) ReadOnePlan(scope Scope) Querier {
	return &reader{db: db, pool: db.app, before: statement{sql: setOnePlanScope, arguments: scope.arguments()}}
}

// WorkerRead is Read under the worker role.
func (db *DB) WorkerRead() Querier {
	return &reader{db: db, pool: db.worker, before: statement{sql: setReadOnly}}
}

type reader struct {
	db     *DB
	pool   *pgxpool.Pool
	before statement
}

// Exec implements Querier.
func (r *reader) Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error) {
	rows, err := r.Query(ctx, sql, arguments...)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	rows.Close()
	return rows.CommandTag(), rows.Err()
}

// QueryRow implements Querier.
func (r *reader) QueryRow(ctx context.Context, sql string, arguments ...any) pgx.Row {
	rows, err := r.Query(ctx, sql, arguments...)
	return singleRow{rows, err}
}

// Query implements Querier.
func (r *reader) Query(ctx context.Context, sql string, arguments ...any) (pgx.Rows, error) {
	ctx, cancel := r.db.withDeadline(ctx)
	rows, err := r.send(ctx, statement{sql: sql, arguments: arguments})
	if isStale(err) && ctx.Err() == nil {
		// The server went away since the connection was last used. A read may always be sent again.
		rows, err = r.send(ctx, statement{sql: sql, arguments: arguments})
	}
	if err != nil {
		cancel()
		err = Translate(err)
		return failedRows{err}, err
	}
	release := rows.release
	rows.release = func(err error) error {
		defer cancel()
		return release(err)
	}
	return rows, nil
}

func (r *reader) send(ctx context.Context, wanted statement) (*heldRows, error) {
	connection, err := r.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("take a connection: %w", explainConnect(err))
	}
	batch := &pgx.Batch{}
	batch.Queue(r.before.sql, r.before.arguments...)
	batch.Queue(wanted.sql, wanted.arguments...)
	results := connection.SendBatch(ctx, batch)
	if _, err = results.Exec(); err == nil {
		var rows pgx.Rows
		if rows, err = results.Query(); err == nil {
			return &heldRows{Rows: rows, release: func(err error) error {
				defer connection.Release()
				if closeErr := results.Close(); err == nil {
					err = closeErr
				}
				return err
			}}, nil
		}
	}
	_ = results.Close()
	if connection.Conn().IsClosed() && !isServerError(err) {
		err = fmt.Errorf("%w: %w", errConnectionLost, err)
	}
	connection.Release()
	return nil, err
}

func isServerError(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server)
}

// isStale reports that a connection turned out to be dead when it was used, so that another one may do. A server that
// shuts down says so with class 57P before it closes the connection.
func isStale(err error) bool {
	if err == nil {
		return false
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return false
	}
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.Code == "57P01" || server.Code == "57P05"
	}
	return isConnectionTrouble(err)
}

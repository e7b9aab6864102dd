package pg

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// diskFull is the SQLSTATE of a write that found no room; the session that ends the server because the log finds none
	// gets it, too. spillForbidden is that of a server whose temp_file_limit is less than what the check needs.
	diskFull       = "53100"
	spillForbidden = "53400"
)

// A read that needs room, because PostgreSQL puts what is more than work_mem into a file, here nearly a megabyte. It needs
// no right, and writes neither to tables nor to the log, which would end the server where it finds no room.
const (
	spillMemory = `set local work_mem = '64kB'`
	spill       = `select count(*) from generate_series(1, 65536)`
)

// watchStorage has the errors of all the pool's connections looked at, also of those that others use directly.
func (db *DB) watchStorage(pool *pgxpool.Config) {
	next := pool.ConnConfig.OnPgError
	pool.ConnConfig.OnPgError = func(connection *pgconn.PgConn, err *pgconn.PgError) bool {
		if err.Code == diskFull {
			db.full.Store(true)
			db.metrics.diskFull.Inc()
		}
		return next(connection, err)
	}
}

// CheckStorage returns why nothing can be stored. Once the server has refused a write because its disk is full, it is asked
// for room each time, until it has some; before, it is asked nothing, so a full disk is noticed with the first write. It is
// for readiness: reading goes on.
func (db *DB) CheckStorage(ctx context.Context) error {
	if !db.full.Load() {
		return nil
	}
	ctx, cancel := db.withDeadline(ctx)
	defer cancel()
	err := db.InWorkerTx(ctx, func(ctx context.Context, tx *Tx) error {
		tx.Queue(spillMemory)
		_, err := tx.Exec(ctx, spill)
		return err
	})
	var server *pgconn.PgError
	if err == nil || errors.As(err, &server) && server.Code == spillForbidden {
		db.full.Store(false)
		return nil
	}
	// Also when it does not answer: it may have ended because of that very disk.
	return fmt.Errorf("ask for room on the disk, which was full: %w", err)
}

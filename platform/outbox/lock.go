package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/braidhq/braid/platform/pg"
)

const (
	// lockKey is the advisory lock of the active relay. Locks are per database, so one constant does for all services.
	lockKey = 0x62726169_6f757462
	// channel carries the wake-ups of other processes; it is per database, too.
	channel = "braid_outbox"
	// heartbeat is how often the connection that holds the lock is asked whether it is still there. A server that
	// vanished without a word is noticed after two of them.
	heartbeat   = 2 * time.Second
	lockTimeout = 5 * time.Second
)

// leaderLock is the session that holds the lock. The server gives the lock up when the session ends, so whoever holds
// one must stop as soon as the session is in doubt.
type leaderLock struct{ connection *pgxpool.Conn }

// acquireLock returns nil without an error while another session holds the lock.
func acquireLock(ctx context.Context, database *pg.DB) (*leaderLock, error) {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	connection, err := database.WorkerPool().Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("lock the outbox: %w", pg.Translate(err))
	}
	var locked bool
	if err := connection.QueryRow(ctx, `select pg_try_advisory_lock($1)`, int64(lockKey)).Scan(&locked); err != nil {
		connection.Release()
		return nil, fmt.Errorf("lock the outbox: %w", pg.Translate(err))
	}
	if !locked {
		connection.Release()
		return nil, nil
	}
	lock := &leaderLock{connection}
	if _, err := connection.Exec(ctx, `listen `+channel); err != nil {
		lock.release()
		return nil, fmt.Errorf("listen for events: %w", pg.Translate(err))
	}
	return lock, nil
}

// watch calls woken for each wake-up until ctx ends, and returns an error when the session can no longer be trusted.
func (l *leaderLock) watch(ctx context.Context, woken func()) error {
	for ctx.Err() == nil {
		waiting, cancel := context.WithTimeout(ctx, heartbeat)
		_, err := l.connection.Conn().WaitForNotification(waiting)
		cancel()
		switch {
		case err == nil:
			woken()
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, context.DeadlineExceeded):
			if err := l.ping(ctx); err != nil {
				return err
			}
		default:
			return fmt.Errorf("wait for notifications: %w", err)
		}
	}
	return nil
}

func (l *leaderLock) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, heartbeat)
	defer cancel()
	if err := l.connection.Ping(ctx); err != nil {
		return fmt.Errorf("ping the session of the lock: %w", err)
	}
	return nil
}

// release ends the session instead of giving it back to the pool: it listens, and may be in any state.
func (l *leaderLock) release() {
	ctx, cancel := context.WithTimeout(context.Background(), lockTimeout)
	defer cancel()
	_ = l.connection.Conn().Close(ctx)
	l.connection.Release()
}

// notify wakes the active relay, wherever it is.
func notify(ctx context.Context, database *pg.DB) error {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	_, err := database.WorkerPool().Exec(ctx, `select pg_notify($1, '')`, pgx.QueryExecModeExec, channel)
	return pg.Translate(err)
}

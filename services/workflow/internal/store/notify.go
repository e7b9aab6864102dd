package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/pg"
)

const (
	// changesChannel tells other processes which projects have changed. Channels are per database.
	changesChannel = "braid_project_change"
	notifyTimeout  = 5 * time.Second
	// listenHeartbeat is how often a silent connection is asked whether it is still there.
	listenHeartbeat = 5 * time.Second
)

// MaxNotification is how many bytes a notification may hold; PostgreSQL takes less than 8000.
const MaxNotification = 7900

// Notify sends text to every process that listens. It must not be called inside a writing transaction: those that
// notify are committed one after another, in the whole database.
func Notify(ctx context.Context, database *pg.DB, text string) error {
	ctx, cancel := context.WithTimeout(ctx, notifyTimeout)
	defer cancel()
	_, err := database.WorkerPool().Exec(ctx, `select pg_notify($1, $2)`, pgx.QueryExecModeExec, changesChannel, text)
	return explain("notify of changes", err)
}

// Listen calls ready once it hears everything, and heard for each notification, until ctx ends (nil) or the connection
// is lost (an error). What is sent while nobody listens is lost: the caller looks for itself when ready is called.
func Listen(ctx context.Context, database *pg.DB, ready func(), heard func(text string)) error {
	connection, err := database.WorkerPool().Acquire(ctx)
	if err != nil {
		return explain("listen for changes", err)
	}
	// It listens from now on: it is ended, not given back.
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), notifyTimeout)
		defer cancel()
		_ = connection.Conn().Close(closing)
		connection.Release()
	}()
	if _, err := connection.Exec(ctx, `listen `+changesChannel); err != nil {
		return explain("listen for changes", err)
	}
	ready()
	for {
		waiting, cancel := context.WithTimeout(ctx, listenHeartbeat)
		notification, err := connection.Conn().WaitForNotification(waiting)
		cancel()
		switch {
		case err == nil:
			heard(notification.Payload)
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, context.DeadlineExceeded):
			pinging, cancel := context.WithTimeout(ctx, notifyTimeout)
			err := connection.Ping(pinging)
			cancel()
			if err != nil && ctx.Err() == nil {
				return fmt.Errorf("listen for changes: %w", pg.Translate(err))
			}
		default:
			return fmt.Errorf("listen for changes: %w", pg.Translate(err))
		}
	}
}

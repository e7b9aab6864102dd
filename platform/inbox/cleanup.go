package inbox

import (
	"context"
	"fmt"
	"time"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/pg"
)

const (
	cleanupInterval = time.Hour
	cleanupBatch    = 5000
	// cleanupPause leaves the database to others between two batches.
	cleanupPause = 100 * time.Millisecond
)

// cleanUp deletes rows that nothing can bring back any more, at the start and then every hour. When rows must be kept
// for ever it has nothing to do.
func (c *Consumer) cleanUp(ctx context.Context) {
	retention := c.config.rowRetention()
	if retention == 0 {
		return
	}
	for {
		if _, err := c.DeleteExpired(ctx, c.clock.Now().Add(-retention)); err != nil && ctx.Err() == nil {
			c.logger.WarnContext(ctx, "consumer cannot clean its inbox up", "error", err)
		}
		if clock.Sleep(ctx, cleanupInterval) != nil {
			return
		}
	}
}

// DeleteExpired deletes this consumer's rows that were written before the given time, in batches, and returns how many.
func (c *Consumer) DeleteExpired(ctx context.Context, before time.Time) (int64, error) {
	const statement = `delete from inbox where ctid = any(array(
select ctid from inbox where processed_at < $1 and consumer = $2 limit $3))`
	var total int64
	for {
		var deleted int64
		err := c.database.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
			tx.Queue(`set local synchronous_commit = off`)
			tag, err := tx.Exec(ctx, statement, before, c.config.Service, cleanupBatch)
			deleted = tag.RowsAffected()
			return err
		})
		if err != nil {
			return total, fmt.Errorf("delete expired inbox rows: %w", err)
		}
		total += deleted
		if deleted < cleanupBatch {
			return total, nil
		}
		if err := clock.Sleep(ctx, cleanupPause); err != nil {
			return total, err
		}
	}
}

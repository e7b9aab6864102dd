package live

import (
	"context"
	"log/slog"
	"time"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/store"
)

const (
	cleanupInterval = time.Minute
	cleanupBatch    = 5000
	// cleanupRounds bounds one cleaning; what is left waits a minute.
	cleanupRounds = 100
)

// Cleaner removes changes that are too old to be asked for.
type Cleaner struct {
	database  *pg.DB
	retention time.Duration
	clock     clock.Clock
	logger    *slog.Logger
}

// NewCleaner returns a cleaner that keeps changes for retention.
func NewCleaner(database *pg.DB, retention time.Duration, clock clock.Clock, logger *slog.Logger) *Cleaner {
	return &Cleaner{database: database, retention: retention, clock: clock, logger: logger}
}

// Part cleans every minute. A failed try is left to the next one.
func (c *Cleaner) Part(service string) module.Part {
	return module.Part{Name: service + ".changes", Run: func(ctx context.Context) error {
		ticker := time.NewTicker(cleanupInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-ticker.C:
				if _, err := c.Clean(ctx); err != nil && ctx.Err() == nil {
					c.logger.WarnContext(ctx, "old changes not removed, tried again", slog.String("cause", err.Error()))
				}
			}
		}
	}}
}

// Clean removes what is too old now, in small transactions, and returns how many rows are gone.
func (c *Cleaner) Clean(ctx context.Context) (removed int64, err error) {
	before := c.clock.Now().Add(-c.retention)
	for range cleanupRounds {
		gone, err := store.DeleteChanges(ctx, c.database, before, cleanupBatch)
		removed += gone
		if err != nil || gone < cleanupBatch {
			return removed, err
		}
	}
	return removed, nil
}

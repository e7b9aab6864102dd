package store

import (
	"context"
	"fmt"
	"time"

	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/store/db"
)

// DeleteReadNotifications removes at most limit notifications that were read before a time and returns how many.
func DeleteReadNotifications(ctx context.Context, tx *pg.Tx, before time.Time, limit int) (int64, error) {
	deleted, err := db.New(tx).DeleteReadNotifications(ctx, db.DeleteReadNotificationsParams{Before: before, RowLimit: int32(limit)})
	if err != nil {
		return 0, fmt.Errorf("delete read notifications: %w", err)
	}
	return deleted, nil
}

// DeleteNotifications removes at most limit notifications of before a time, read or not, and returns how many.
func DeleteNotifications(ctx context.Context, tx *pg.Tx, before time.Time, limit int) (int64, error) {
	deleted, err := db.New(tx).DeleteNotifications(ctx, db.DeleteNotificationsParams{Before: before, RowLimit: int32(limit)})
	if err != nil {
		return 0, fmt.Errorf("delete notifications: %w", err)
	}
	return deleted, nil
}

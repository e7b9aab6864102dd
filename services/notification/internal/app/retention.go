package app

import (
	"context"
	"time"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/store"
)

const (
	// deliveryLifetime is how long a delivery is kept after its end, to be looked into.
	deliveryLifetime = 30 * 24 * time.Hour
	purgeBatch       = 5000
	// purgeBatches bounds one job; what is left waits for the next.
	purgeBatches = 200
)

// Retention removes what has been kept long enough.
type Retention struct {
	DB    *pg.DB
	Clock clock.Clock
	// ReadLifetime is how long a notification is kept after it was read, Lifetime how long in any case.
	ReadLifetime, Lifetime time.Duration
	Metrics                *Metrics
}

// PurgeDeliveries is the handler of the job of this name.
func (r *Retention) PurgeDeliveries(ctx context.Context, _ PurgeDeliveries) error {
	return r.purge(ctx, "delivery", deliveryLifetime, store.DeleteFinishedDeliveries)
}

// PurgeNotifications is the handler of the job of this name.
func (r *Retention) PurgeNotifications(ctx context.Context, _ PurgeNotifications) error {
	if err := r.purge(ctx, "read_notification", r.ReadLifetime, store.DeleteReadNotifications); err != nil {
		return err
	}
	return r.purge(ctx, "notification", r.Lifetime, store.DeleteNotifications)
}

// purge works in batches, so that no transaction is long.
func (r *Retention) purge(ctx context.Context, kind string, lifetime time.Duration, remove func(context.Context, *pg.Tx, time.Time, int) (int64, error)) error {
	before := r.Clock.Now().Add(-lifetime)
	for range purgeBatches {
		var removed int64
		err := r.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) (err error) {
			removed, err = remove(ctx, tx, before, purgeBatch)
			return err
		})
		if err != nil {
			return err
		}
		r.Metrics.expired.WithLabelValues(kind).Add(float64(removed))
		if removed < purgeBatch {
			break
		}
	}
	return nil
}

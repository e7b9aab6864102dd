package store

import (
	"context"
	"time"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store/db"
)

// SeeDevice notes that a user has signed in with a device, known by its fingerprint. It reports whether it is new, and
// whether the user had others before. The transaction must act as the user, and have locked them.
func SeeDevice(ctx context.Context, tx *pg.Tx, userID id.ID, device domain.SeenDevice, fingerprint []byte) (added, others bool, err error) {
	row, err := db.New(tx).SeeDevice(ctx, db.SeeDeviceParams{
		ID: device.ID, AccountID: userID, Fingerprint: fingerprint, Name: device.Name, FirstAddress: device.Address,
		Now: device.FirstSeenAt,
	})
	if err != nil {
		return false, false, explain("note device", err)
	}
	if row.ID != device.ID {
		return false, row.Others, nil
	}
	return true, row.Others, queue(tx).TrimSeenDevices(ctx, userID, domain.MaxSeenDevices)
}

// GetDevice returns a device of the user that the querier is scoped to; ErrNotFound when it is forgotten.
func GetDevice(ctx context.Context, querier pg.Querier, userID, deviceID id.ID) (domain.SeenDevice, error) {
	row, err := db.New(querier).GetSeenDevice(ctx, userID, deviceID)
	device := domain.SeenDevice{ID: row.ID, Name: row.Name, Address: row.FirstAddress, FirstSeenAt: row.FirstSeenAt.In(time.UTC)}
	return device, explain("load device", err)
}

package app

import (
	"context"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
)

// noteDevice remembers what a session was begun with, and tells of one that was never seen for the user, unless it is
// their first of all.
func (a *App) noteDevice(ctx context.Context, tx *pg.Tx, session domain.Session) error {
	device := domain.SeenDevice{
		ID: id.New(), Name: session.Device, Address: session.ClientAddress, FirstSeenAt: session.CreatedAt,
	}
	fingerprint := a.Keys.HashKeyed("seen-device", append(session.UserID[:], session.Device...))
	added, others, err := store.SeeDevice(ctx, tx, session.UserID, device, fingerprint)
	if err != nil || !added || !others {
		return err
	}
	return a.deviceAdded(ctx, tx, session, device)
}

// NewDevice returns what the mail about a device says: whose it is, and what is known of it.
func (a *App) NewDevice(ctx context.Context, userID, deviceID id.ID) (domain.User, domain.SeenDevice, error) {
	querier := a.DB.Point(pg.Scope{UserID: userID})
	device, err := store.GetDevice(ctx, querier, userID, deviceID)
	if err != nil {
		return domain.User{}, domain.SeenDevice{}, err
	}
	user, err := store.GetUser(ctx, querier, userID)
	return user, device, err
}

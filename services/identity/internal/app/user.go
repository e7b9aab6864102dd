package app

import (
	"context"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
)

// User returns a user by id, for the user or for another service.
func (a *App) User(ctx context.Context, userID id.ID) (domain.User, error) {
	return store.GetUser(ctx, a.DB.Point(pg.Scope{UserID: userID}), userID)
}

// UpdateMe changes the caller's profile. A change that changes nothing tells nobody.
func (a *App) UpdateMe(ctx context.Context, tx *pg.Tx, change domain.ProfileChange) (domain.User, error) {
	change, err := lookUpPlace(change)
	if err != nil {
		return domain.User{}, err
	}
	user, err := store.LockUser(ctx, tx, call.From(ctx).Actor.UserID)
	if err != nil {
		return domain.User{}, err
	}
	user, changed, err := user.Change(change, a.Clock.Now())
	if err != nil || !changed {
		return user, err
	}
	if err := store.UpdateUser(ctx, tx, user); err != nil {
		return domain.User{}, err
	}
	return user, a.userUpdated(ctx, tx, user)
}

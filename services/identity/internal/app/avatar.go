package app

import (
	"context"
	"errors"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
	"github.com/braidhq/braid/services/identity/internal/token"
)

// PrepareAvatar makes a picture out of a file. It is done before a transaction is opened: decoding takes its time.
func (a *App) PrepareAvatar(ctx context.Context, file []byte) (domain.Avatar, error) {
	contentType, image, err := a.Avatars.Encode(ctx, file)
	return domain.Avatar{ID: token.NewAvatarID(), ContentType: contentType, Image: image, CreatedAt: a.Clock.Now()}, err
}

// SetAvatar makes a picture the caller's.
func (a *App) SetAvatar(ctx context.Context, tx *pg.Tx, avatar domain.Avatar) error {
	user, err := store.LockUser(ctx, tx, call.From(ctx).Actor.UserID)
	if err != nil {
		return err
	}
	return a.changeAvatar(ctx, tx, user.WithAvatar(avatar.ID, a.Clock.Now()), store.PutAvatar(ctx, tx, user.ID, avatar))
}

// DeleteAvatar removes the caller's picture. Without one it tells nobody.
func (a *App) DeleteAvatar(ctx context.Context, tx *pg.Tx) error {
	user, err := store.LockUser(ctx, tx, call.From(ctx).Actor.UserID)
	if err != nil || user.AvatarID.IsZero() {
		return err
	}
	return a.changeAvatar(ctx, tx, user.WithAvatar(id.ID{}, a.Clock.Now()), store.DeleteAvatar(ctx, tx, user.ID))
}

func (a *App) changeAvatar(ctx context.Context, tx *pg.Tx, user domain.User, queued error) error {
	return errors.Join(queued, store.UpdateUser(ctx, tx, user), a.userUpdated(ctx, tx, user))
}

// Avatar returns the picture with an id, whoever asks; ErrNotFound when there is none any more.
func (a *App) Avatar(ctx context.Context, avatarID id.ID) (domain.Avatar, error) {
	if avatarID.IsZero() {
		return domain.Avatar{}, errs.ErrNotFound
	}
	return store.FindAvatar(ctx, a.DB.Read(pg.Scope{}), avatarID)
}

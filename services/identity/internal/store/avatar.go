package store

import (
	"context"
	"errors"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store/db"
)

// PutAvatar queues a user's picture in the place of the one before. The transaction must act as the user.
func PutAvatar(ctx context.Context, tx *pg.Tx, userID id.ID, avatar domain.Avatar) error {
	queries := queue(tx)
	return errors.Join(queries.DeleteAvatar(ctx, userID), queries.InsertAvatar(ctx, db.InsertAvatarParams{
		AccountID: userID, ID: avatar.ID, ContentType: avatar.ContentType, Image: avatar.Image, CreatedAt: avatar.CreatedAt,
	}))
}

// DeleteAvatar queues the end of a user's picture. The transaction must act as the user.
func DeleteAvatar(ctx context.Context, tx *pg.Tx, userID id.ID) error {
	return queue(tx).DeleteAvatar(ctx, userID)
}

// FindAvatar returns the picture with an id, whoever asks; ErrNotFound when there is none.
func FindAvatar(ctx context.Context, querier pg.Querier, avatarID id.ID) (domain.Avatar, error) {
	found := domain.Avatar{ID: avatarID}
	err := querier.QueryRow(ctx, `select content_type, image from find_avatar($1)`, avatarID).Scan(&found.ContentType, &found.Image)
	return found, explain("load avatar", err)
}

package api

import (
	"context"

	"google.golang.org/genproto/googleapis/api/httpbody"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/app"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// Avatars implements AvatarService.
type Avatars struct {
	app    *app.App
	runner idempotency.Runner
}

// NewAvatars returns the handlers of AvatarService.
func NewAvatars(app *app.App, runner idempotency.Runner) *Avatars { return &Avatars{app, runner} }

// SetAvatar implements AvatarService.
func (a *Avatars) SetAvatar(ctx context.Context, request *identityv1.SetAvatarRequest) (*identityv1.Avatar, error) {
	avatar, err := a.app.PrepareAvatar(ctx, request.GetImage())
	if err != nil {
		return nil, err
	}
	return idempotency.Run(ctx, a.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.Avatar, error) {
		return &identityv1.Avatar{Path: domain.AvatarPath(avatar.ID)}, a.app.SetAvatar(ctx, tx, avatar)
	})
}

// DeleteAvatar implements AvatarService.
func (a *Avatars) DeleteAvatar(ctx context.Context, _ *identityv1.DeleteAvatarRequest) (*identityv1.DeleteAvatarResponse, error) {
	return idempotency.Run(ctx, a.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.DeleteAvatarResponse, error) {
		return &identityv1.DeleteAvatarResponse{}, a.app.DeleteAvatar(ctx, tx)
	})
}

// GetAvatar implements AvatarService.
func (a *Avatars) GetAvatar(ctx context.Context, request *identityv1.GetAvatarRequest) (*httpbody.HttpBody, error) {
	avatar, err := a.app.Avatar(ctx, id.ParseOrZero(request.GetAvatarId()))
	if err != nil {
		return nil, err
	}
	return &httpbody.HttpBody{ContentType: avatar.ContentType, Data: avatar.Image}, nil
}

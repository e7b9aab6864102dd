package api

import (
	"context"

	notificationv1 "github.com/braidhq/braid/gen/go/braid/notification/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
)

// GetPreferences implements the RPC.
func (h *Handler) GetPreferences(ctx context.Context, _ *notificationv1.GetPreferencesRequest) (*notificationv1.Preferences, error) {
	preferences, err := h.Preferences.Get(ctx, call.From(ctx).Actor.UserID)
	if err != nil {
		return nil, err
	}
	return encodePreferences(preferences), nil
}

// UpdatePreferences implements the RPC.
func (h *Handler) UpdatePreferences(ctx context.Context, request *notificationv1.UpdatePreferencesRequest) (*notificationv1.Preferences, error) {
	return idempotency.Run(ctx, h.Runner, func(ctx context.Context, tx *pg.Tx) (*notificationv1.Preferences, error) {
		preferences, err := h.Preferences.Update(ctx, tx, call.From(ctx).Actor.UserID, decodePreferences(request.GetPreferences()))
		if err != nil {
			return nil, err
		}
		return encodePreferences(preferences), nil
	})
}

// Package api answers the RPCs of notification: it decodes, calls app and encodes.
package api

import (
	"context"

	notificationv1 "github.com/braidhq/braid/gen/go/braid/notification/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/app"
)

// Handler implements NotificationService. All of it is about the caller's own rows.
type Handler struct {
	Runner        idempotency.Runner
	Notifications *app.Notifications
	Preferences   *app.Preferences
}

// ListNotifications implements the RPC.
func (h *Handler) ListNotifications(ctx context.Context, request *notificationv1.ListNotificationsRequest) (*notificationv1.ListNotificationsResponse, error) {
	notifications, next, err := h.Notifications.List(ctx, call.From(ctx).Actor.UserID, list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	return &notificationv1.ListNotificationsResponse{Notifications: encodeNotifications(notifications), NextPageToken: next}, nil
}

// MarkRead implements the RPC.
func (h *Handler) MarkRead(ctx context.Context, request *notificationv1.MarkReadRequest) (*notificationv1.MarkReadResponse, error) {
	ids, err := decodeIDs(request.GetNotificationIds())
	if err != nil {
		return nil, err
	}
	return idempotency.Run(ctx, h.Runner, func(ctx context.Context, tx *pg.Tx) (*notificationv1.MarkReadResponse, error) {
		userID := call.From(ctx).Actor.UserID
		var marked int64
		var err error
		if request.GetAll() {
			marked, err = h.Notifications.MarkAllRead(ctx, tx, userID)
		} else {
			marked, err = h.Notifications.MarkRead(ctx, tx, userID, ids)
		}
		if err != nil {
			return nil, err
		}
		return &notificationv1.MarkReadResponse{MarkedCount: encodeCount(marked)}, nil
	})
}

// GetUnreadCount implements the RPC.
func (h *Handler) GetUnreadCount(ctx context.Context, _ *notificationv1.GetUnreadCountRequest) (*notificationv1.GetUnreadCountResponse, error) {
	count, err := h.Notifications.CountUnread(ctx, call.From(ctx).Actor.UserID)
	if err != nil {
		return nil, err
	}
	return &notificationv1.GetUnreadCountResponse{UnreadCount: encodeCount(count)}, nil
}

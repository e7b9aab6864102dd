package app

import (
	"context"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/domain"
	"github.com/braidhq/braid/services/notification/internal/store"
)

// Notifications are a person's own, across organizations, also those that the person has left since.
type Notifications struct {
	DB    *pg.DB
	Clock clock.Clock
	Spec  list.Spec
}

// List returns a page of a person's notifications and the token of the next page.
func (n *Notifications) List(ctx context.Context, userID id.ID, request list.Request) ([]domain.Notification, string, error) {
	request.Binding = []string{userID.String()}
	query, err := n.Spec.Parse(request)
	if err != nil {
		return nil, "", err
	}
	return store.ListNotifications(ctx, n.DB.Read(pg.Scope{UserID: userID}), userID, query)
}

// MarkRead marks those named and returns how many were unread. What is not the person's own is passed over without a
// word.
func (n *Notifications) MarkRead(ctx context.Context, tx *pg.Tx, userID id.ID, ids []id.ID) (int64, error) {
	return store.MarkRead(ctx, tx, userID, ids, n.Clock.Now())
}

// MarkAllRead marks all that the person has and returns how many were unread.
func (n *Notifications) MarkAllRead(ctx context.Context, tx *pg.Tx, userID id.ID) (int64, error) {
	return store.MarkAllRead(ctx, tx, userID, n.Clock.Now())
}

// CountUnread counts what waits to be read.
func (n *Notifications) CountUnread(ctx context.Context, userID id.ID) (int64, error) {
	return store.CountUnread(ctx, n.DB.Point(pg.Scope{UserID: userID}), userID)
}

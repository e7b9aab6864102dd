package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/domain"
	"github.com/braidhq/braid/services/notification/internal/store/db"
)

// NotificationSpec is what may be asked of a person's list.
func NotificationSpec() list.Spec {
	kinds := map[string]any{}
	for _, kind := range domain.PreferenceKinds() {
		kinds[string(kind)] = string(kind)
	}
	return list.Spec{
		Name: "notifications",
		Fields: map[string]list.Field{
			"unread":     {Column: "(read_at is null)", Type: list.Bool},
			"kind":       {Column: "kind", Type: list.String, Values: kinds},
			"createTime": {Column: "created_at", Type: list.Time},
		},
		Orders:   map[string]list.Order{"createTime": {Column: "created_at", Type: list.Time}},
		Default:  "createTime desc",
		Tiebreak: list.Order{Column: "id", Type: list.ID},
	}
}

const listNotifications = `select id, organization_id, kind, title, actor_id, project_id, task_id, task_key, created_at, read_at
from notification where user_id = $1`

// ListNotifications returns a page of a person's notifications and the next page's token, in one round trip.
func ListNotifications(ctx context.Context, querier pg.Querier, userID id.ID, query *list.Query) ([]domain.Notification, string, error) {
	sql, arguments := query.Build(listNotifications, userID)
	rows, err := querier.Query(ctx, sql, arguments...)
	if err != nil {
		return nil, "", fmt.Errorf("list notifications: %w", err)
	}
	notifications, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (read domain.Notification, err error) {
		err = row.Scan(&read.ID, &read.OrganizationID, &read.Kind, &read.Title, &read.ActorID, &read.ProjectID,
			&read.TaskID, &read.TaskKey, &read.CreateTime, &read.ReadTime)
		return read, err
	})
	if err != nil {
		return nil, "", fmt.Errorf("list notifications: %w", err)
	}
	token, page := list.Page(query, notifications, func(row domain.Notification, order string) any {
		if order == "" {
			return row.ID
		}
		return row.CreateTime
	})
	return page, token, nil
}

// InsertNotifications tells recipients of a fact, except those who turned that off. It goes out with the transaction's
// next statement; one who was told before is not told again.
func InsertNotifications(ctx context.Context, tx *pg.Tx, fact domain.TaskFact, recipients []id.ID) error {
	titles := make([]string, 0, len(recipients))
	for _, recipient := range recipients {
		titles = append(titles, fact.Title(recipient))
	}
	err := db.New(queued{tx}).InsertNotifications(ctx, db.InsertNotificationsParams{
		EventID: fact.EventID, OrganizationID: fact.OrganizationID, Kind: string(fact.Kind),
		ActorID: fact.ActorID, ProjectID: fact.ProjectID, TaskID: fact.TaskID, TaskKey: fact.TaskKey, CreatedAt: fact.Time,
		IDs: deriveIDs(fact.EventID, recipients, domain.InApp), UserIDs: recipients, Titles: titles,
	})
	if err != nil {
		return fmt.Errorf("insert notifications: %w", err)
	}
	return nil
}

func deriveIDs(eventID id.ID, recipients []id.ID, channel domain.Channel) []id.ID {
	derived := make([]id.ID, 0, len(recipients))
	for _, recipient := range recipients {
		derived = append(derived, domain.DeriveID(eventID, recipient, channel))
	}
	return derived
}

// MarkRead marks those of a person's notifications as read that are named and unread, and returns how many.
func MarkRead(ctx context.Context, tx *pg.Tx, userID id.ID, ids []id.ID, now time.Time) (int64, error) {
	marked, err := db.New(tx).MarkNotificationsRead(ctx, db.MarkNotificationsReadParams{UserID: userID, IDs: ids, ReadAt: &now})
	if err != nil {
		return 0, fmt.Errorf("mark notifications read: %w", err)
	}
	return marked, nil
}

// MarkAllRead marks all of a person's notifications as read and returns how many were not.
func MarkAllRead(ctx context.Context, tx *pg.Tx, userID id.ID, now time.Time) (int64, error) {
	marked, err := db.New(tx).MarkAllNotificationsRead(ctx, db.MarkAllNotificationsReadParams{UserID: userID, ReadAt: &now})
	if err != nil {
		return 0, fmt.Errorf("mark all notifications read: %w", err)
	}
	return marked, nil
}

// CountUnread counts a person's unread notifications.
func CountUnread(ctx context.Context, querier pg.Querier, userID id.ID) (int64, error) {
	count, err := db.New(querier).CountUnread(ctx, db.CountUnreadParams{UserID: userID})
	if err != nil {
		return 0, fmt.Errorf("count unread notifications: %w", err)
	}
	return count, nil
}

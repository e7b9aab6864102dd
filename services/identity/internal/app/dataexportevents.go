package app

import (
	"context"

	"google.golang.org/protobuf/proto"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
)

func (a *App) dataExportRequested(ctx context.Context, tx *pg.Tx, userID, exportID id.ID) error {
	return a.dataExportEvent(ctx, tx, userID, exportID, &identityv1.DataExportRequested{UserId: userID.String(), DataExportId: exportID.String()})
}

func (a *App) dataExportReady(ctx context.Context, tx *pg.Tx, userID, exportID id.ID) error {
	return a.dataExportEvent(ctx, tx, userID, exportID, &identityv1.DataExportReady{UserId: userID.String(), DataExportId: exportID.String()})
}

func (a *App) dataExportFailed(ctx context.Context, tx *pg.Tx, userID, exportID id.ID, reason string) error {
	return a.dataExportEvent(ctx, tx, userID, exportID, &identityv1.DataExportFailed{
		UserId: userID.String(), DataExportId: exportID.String(), Reason: reason,
	})
}

func (a *App) dataExportDownloaded(ctx context.Context, tx *pg.Tx, userID, exportID id.ID) error {
	return a.dataExportEvent(ctx, tx, userID, exportID, &identityv1.DataExportDownloaded{UserId: userID.String(), DataExportId: exportID.String()})
}

func (a *App) dataExportDeleted(ctx context.Context, tx *pg.Tx, userID, exportID id.ID) error {
	return a.dataExportEvent(ctx, tx, userID, exportID, &identityv1.DataExportDeleted{UserId: userID.String(), DataExportId: exportID.String()})
}

func (a *App) dataExportEvent(ctx context.Context, tx *pg.Tx, userID, exportID id.ID, message proto.Message) error {
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{Message: message, Key: userID, Subject: "data-export/" + exportID.String()})
}

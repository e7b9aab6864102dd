package consumer

import (
	"context"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/app"
	"github.com/braidhq/braid/services/notification/internal/domain"
)

// dataExportHandlers mail people what became of their exports.
func dataExportHandlers(notifier *app.Notifier) map[string]inbox.Handler {
	return map[string]inbox.Handler{
		bus.TypeOf(&identityv1.DataExportReady{}):  mailExport[identityv1.DataExportReady](notifier, domain.DataExportReady),
		bus.TypeOf(&identityv1.DataExportFailed{}): mailExport[identityv1.DataExportFailed](notifier, domain.DataExportFailed),
	}
}

// aboutExport is a payload that names an export.
type aboutExport[Message any] interface {
	payload[Message]
	GetDataExportId() string
}

// mailExport makes the handler of one type of event about an export, whose person is mailed.
func mailExport[Message any, Pointer aboutExport[Message]](notifier *app.Notifier, kind domain.Kind) inbox.Handler {
	return inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		decoded := Pointer(new(Message))
		if err := event.Unmarshal(decoded); err != nil {
			return err
		}
		exportID, err := parseID("data_export_id", decoded.GetDataExportId())
		if err != nil {
			return err
		}
		return notifier.PlanAccountMails(ctx, tx, event.ID, exportID, event.Time, kind)
	})
}

package consumer

import (
	"context"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/app"
	"github.com/braidhq/braid/services/notification/internal/domain"
)

// supportHandlers mail owners that operators are let in, and that one has come.
func supportHandlers(notifier *app.Notifier) map[string]inbox.Handler {
	return map[string]inbox.Handler{
		bus.TypeOf(&organizationv1.SupportGrantCreated{}): inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
			var payload organizationv1.SupportGrantCreated
			if err := event.Unmarshal(&payload); err != nil {
				return err
			}
			return planSupportMails(ctx, tx, notifier, event, domain.SupportGranted, payload.GetSupportGrant().GetId(), payload.GetOwnerIds())
		}),
		bus.TypeOf(&organizationv1.SupportGrantUsed{}): inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
			var payload organizationv1.SupportGrantUsed
			if err := event.Unmarshal(&payload); err != nil {
				return err
			}
			return planSupportMails(ctx, tx, notifier, event, domain.SupportUsed, payload.GetSupportGrantId(), payload.GetOwnerIds())
		}),
	}
}

func planSupportMails(ctx context.Context, tx *pg.Tx, notifier *app.Notifier, event bus.Event, kind domain.Kind, grant string, owners []string) error {
	grantID, err := parseID("support_grant_id", grant)
	if err != nil {
		return err
	}
	told := make([]id.ID, 0, len(owners))
	for _, text := range owners {
		owner, err := parseID("owner_ids", text)
		if err != nil {
			return err
		}
		told = append(told, owner)
	}
	return notifier.PlanSupportMails(ctx, tx, event.ID, kind, event.OrganizationID, grantID, told, event.Time)
}

package consumer

import (
	"context"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/app"
)

// organizationHandlers know invitations only. That a member was removed needs no handler: membership is asked of its
// owner whenever somebody is told something.
func organizationHandlers(notifier *app.Notifier) map[string]inbox.Handler {
	return map[string]inbox.Handler{
		bus.TypeOf(&organizationv1.InvitationSent{}): inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
			var payload organizationv1.InvitationSent
			if err := event.Unmarshal(&payload); err != nil {
				return err
			}
			organizationID, err := parseID("organization_id", payload.GetOrganizationId())
			if err != nil {
				return err
			}
			invitationID, err := parseID("invitation_id", payload.GetInvitationId())
			if err != nil {
				return err
			}
			return notifier.PlanInvitationMail(ctx, tx, event.ID, organizationID, invitationID, event.Time)
		}),
	}
}

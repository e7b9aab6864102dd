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

func identityHandlers(notifier *app.Notifier) map[string]inbox.Handler {
	return map[string]inbox.Handler{
		bus.TypeOf(&identityv1.RegistrationRequested{}): inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
			var payload identityv1.RegistrationRequested
			if err := event.Unmarshal(&payload); err != nil {
				return err
			}
			registrationID, err := parseID("registration_id", payload.GetRegistrationId())
			if err != nil {
				return err
			}
			return notifier.PlanRegistrationMail(ctx, tx, event.ID, registrationID, event.Time)
		}),
		bus.TypeOf(&identityv1.DeviceAdded{}): inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
			var payload identityv1.DeviceAdded
			if err := event.Unmarshal(&payload); err != nil {
				return err
			}
			userID, err := parseID("user_id", payload.GetUserId())
			if err != nil {
				return err
			}
			deviceID, err := parseID("device_id", payload.GetDeviceId())
			if err != nil {
				return err
			}
			return notifier.PlanDeviceMail(ctx, tx, event.ID, userID, deviceID, event.Time)
		}),
		bus.TypeOf(&identityv1.PasswordResetRequested{}): inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
			var payload identityv1.PasswordResetRequested
			if err := event.Unmarshal(&payload); err != nil {
				return err
			}
			resetID, err := parseID("reset_id", payload.GetResetId())
			if err != nil {
				return err
			}
			return notifier.PlanAccountMails(ctx, tx, event.ID, resetID, event.Time, domain.PasswordReset)
		}),
		bus.TypeOf(&identityv1.PasswordChanged{}): inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
			var payload identityv1.PasswordChanged
			if err := event.Unmarshal(&payload); err != nil {
				return err
			}
			userID, err := parseID("user_id", payload.GetUserId())
			if err != nil {
				return err
			}
			return notifier.PlanAccountMails(ctx, tx, event.ID, userID, event.Time, domain.PasswordChanged)
		}),
		bus.TypeOf(&identityv1.EmailChangeRequested{}): inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
			var payload identityv1.EmailChangeRequested
			if err := event.Unmarshal(&payload); err != nil {
				return err
			}
			changeID, err := parseID("change_id", payload.GetChangeId())
			if err != nil {
				return err
			}
			return notifier.PlanAccountMails(ctx, tx, event.ID, changeID, event.Time, domain.EmailConfirmation, domain.EmailChange)
		}),
	}
}

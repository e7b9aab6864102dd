package consumer

import (
	"context"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/app"
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
	}
}

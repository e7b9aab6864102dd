package app

import (
	"context"

	"google.golang.org/protobuf/proto"

	notificationv1 "github.com/braidhq/braid/gen/go/braid/notification/v1"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/domain"
)

func appendPreferencesUpdated(ctx context.Context, tx *pg.Tx, clock clock.Clock, userID id.ID) error {
	return outbox.Append(ctx, tx, clock, outbox.Event{
		Message: &notificationv1.PreferencesUpdated{UserId: userID.String()},
		Key:     userID,
		Subject: "user/" + userID.String(),
	})
}

// appendOutcome tells how a delivery ended. One that was skipped is nobody's news.
func appendOutcome(ctx context.Context, tx *pg.Tx, clock clock.Clock, delivery domain.Delivery, outcome domain.Outcome) error {
	var message proto.Message
	switch outcome.State {
	case domain.Sent:
		message = &notificationv1.NotificationDelivered{
			DeliveryId: delivery.ID.String(), UserId: delivery.UserID.String(), Channel: string(domain.Email),
			Kind: string(delivery.Kind), Attempts: int32(outcome.Attempts),
		}
	case domain.Failed:
		message = &notificationv1.NotificationFailed{
			DeliveryId: delivery.ID.String(), UserId: delivery.UserID.String(), Channel: string(domain.Email),
			Kind: string(delivery.Kind), Attempts: int32(outcome.Attempts), Reason: outcome.Reason,
		}
	default:
		return nil
	}
	return outbox.Append(ctx, tx, clock, outbox.Event{
		Message: message, Key: delivery.OrganizationID, OrganizationID: delivery.OrganizationID, Subject: delivery.Subject(),
	})
}

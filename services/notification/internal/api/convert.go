package api

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/types/known/timestamppb"

	notificationv1 "github.com/braidhq/braid/gen/go/braid/notification/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/notification/internal/domain"
)

func encodeNotifications(notifications []domain.Notification) []*notificationv1.Notification {
	encoded := make([]*notificationv1.Notification, 0, len(notifications))
	for _, notification := range notifications {
		encoded = append(encoded, encodeNotification(notification))
	}
	return encoded
}

func encodeNotification(notification domain.Notification) *notificationv1.Notification {
	encoded := &notificationv1.Notification{
		Id:             notification.ID.String(),
		OrganizationId: notification.OrganizationID.String(),
		Kind:           string(notification.Kind),
		Title:          notification.Title,
		ActorId:        notification.ActorID.String(),
		TaskId:         notification.TaskID.String(),
		TaskKey:        notification.TaskKey,
		ProjectId:      notification.ProjectID.String(),
		Unread:         notification.ReadTime == nil,
		CreateTime:     timestamppb.New(notification.CreateTime),
	}
	if notification.ReadTime != nil {
		encoded.ReadTime = timestamppb.New(*notification.ReadTime)
	}
	return encoded
}

func decodeIDs(texts []string) ([]id.ID, error) {
	ids := make([]id.ID, 0, len(texts))
	for i, text := range texts {
		parsed, err := id.Parse(text)
		if err != nil {
			// Validation lets only UUIDs through; this is for a spelling that it knows and we don't.
			return nil, errs.Invalid(fmt.Sprintf("notificationIds[%d]", i), "string.uuid", "must be a UUID")
		}
		ids = append(ids, parsed)
	}
	return ids, nil
}

func encodePreferences(preferences []domain.Preference) *notificationv1.Preferences {
	encoded := &notificationv1.Preferences{}
	for _, preference := range preferences {
		encoded.Preferences = append(encoded.Preferences, &notificationv1.Preference{
			Kind: string(preference.Kind), Channel: string(preference.Channel), Enabled: &preference.Enabled,
		})
	}
	return encoded
}

func decodePreferences(preferences []*notificationv1.Preference) []domain.Preference {
	decoded := make([]domain.Preference, 0, len(preferences))
	for _, preference := range preferences {
		decoded = append(decoded, domain.Preference{
			Kind: domain.Kind(preference.GetKind()), Channel: domain.Channel(preference.GetChannel()), Enabled: preference.GetEnabled(),
		})
	}
	return decoded
}

func encodeCount(count int64) int32 { return int32(min(count, math.MaxInt32)) }

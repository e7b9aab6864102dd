package app

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

func (a *App) registrationRequested(ctx context.Context, tx *pg.Tx, registration domain.Registration) error {
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{
		Message: &identityv1.RegistrationRequested{RegistrationId: registration.ID.String()},
		Key:     registration.ID,
		Subject: "registration/" + registration.ID.String(),
	})
}

func (a *App) userRegistered(ctx context.Context, tx *pg.Tx, user domain.User) error {
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{
		Message: &identityv1.UserRegistered{UserId: user.ID.String(), Email: user.Email, DisplayName: user.DisplayName},
		Key:     user.ID,
		Subject: "user/" + user.ID.String(),
	})
}

func (a *App) userUpdated(ctx context.Context, tx *pg.Tx, user domain.User) error {
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{
		Message: &identityv1.UserUpdated{
			UserId: user.ID.String(), Email: user.Email, DisplayName: user.DisplayName, Revision: user.Revision,
			Title: user.Title, Locale: user.Locale, TimeZone: user.TimeZone, AvatarId: user.AvatarID.String(), AvatarPath: user.AvatarPath(),
		},
		Key:     user.ID,
		Subject: "user/" + user.ID.String(),
	})
}

func (a *App) loginSucceeded(ctx context.Context, tx *pg.Tx, session domain.Session) error {
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{
		Message: &identityv1.LoginSucceeded{
			UserId: session.UserID.String(), SessionId: session.ID.String(), UserAgent: session.UserAgent,
			Methods: session.Methods,
		},
		Key:     session.UserID,
		Subject: "session/" + session.ID.String(),
	})
}

// loginFailed tells of a refused login. For an address without a user, key stands in for one, so that both cases write
// the same row.
func (a *App) loginFailed(ctx context.Context, tx *pg.Tx, userID, key id.ID, userAgent string) error {
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{
		Message: &identityv1.LoginFailed{UserId: userID.String(), UserAgent: userAgent},
		Key:     key,
		Subject: "user/" + key.String(),
	})
}

func (a *App) sessionsRevoked(ctx context.Context, tx *pg.Tx, userID id.ID, sessionIDs []id.ID, reason identityv1.SessionRevoked_Reason) error {
	events := make([]outbox.Event, 0, len(sessionIDs))
	for _, sessionID := range sessionIDs {
		events = append(events, outbox.Event{
			Message: &identityv1.SessionRevoked{UserId: userID.String(), SessionId: sessionID.String(), Reason: reason},
			Key:     userID,
			Subject: "session/" + sessionID.String(),
		})
	}
	return outbox.Append(ctx, tx, a.Clock, events...)
}

func (a *App) deviceAdded(ctx context.Context, tx *pg.Tx, session domain.Session, device domain.SeenDevice) error {
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{
		Message: &identityv1.DeviceAdded{
			UserId: session.UserID.String(), DeviceId: device.ID.String(), SessionId: session.ID.String(), Device: device.Name,
		},
		Key:     session.UserID,
		Subject: "device/" + device.ID.String(),
	})
}

// signingKeyRotated is no method of App: an operator's command has none.
func signingKeyRotated(ctx context.Context, tx *pg.Tx, clock clock.Clock, key domain.SigningKey, cause identityv1.SigningKeyRotated_Cause, dropped []string) error {
	return outbox.Append(ctx, tx, clock, outbox.Event{
		Message: &identityv1.SigningKeyRotated{
			KeyId: key.ID, SignTime: timestamppb.New(key.SignsFrom), Cause: cause, DroppedKeyIds: dropped,
		},
		Subject: "signing-key/" + key.ID,
	})
}

func (a *App) passwordResetRequested(ctx context.Context, tx *pg.Tx, reset domain.PasswordReset) error {
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{
		Message: &identityv1.PasswordResetRequested{ResetId: reset.ID.String()},
		Key:     reset.ID,
		Subject: "password-reset/" + reset.ID.String(),
	})
}

func (a *App) passwordChanged(ctx context.Context, tx *pg.Tx, userID id.ID, reset bool) error {
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{
		Message: &identityv1.PasswordChanged{UserId: userID.String(), Reset_: reset},
		Key:     userID,
		Subject: "user/" + userID.String(),
	})
}

func (a *App) emailChangeRequested(ctx context.Context, tx *pg.Tx, change domain.EmailChange) error {
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{
		Message: &identityv1.EmailChangeRequested{UserId: change.UserID.String(), ChangeId: change.ID.String()},
		Key:     change.UserID,
		Subject: "user/" + change.UserID.String(),
	})
}

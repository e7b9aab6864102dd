package app

import (
	"context"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
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

func (a *App) sessionRevoked(ctx context.Context, tx *pg.Tx, userID, sessionID id.ID, reason identityv1.SessionRevoked_Reason) error {
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{
		Message: &identityv1.SessionRevoked{UserId: userID.String(), SessionId: sessionID.String(), Reason: reason},
		Key:     userID,
		Subject: "session/" + sessionID.String(),
	})
}

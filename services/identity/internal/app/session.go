package app

import (
	"context"
	"errors"
	"time"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
	"github.com/braidhq/braid/services/identity/internal/token"
)

// TokenState is what an access token is worth. The zero value is a token that is not good.
type TokenState struct {
	Active    bool
	UserID    id.ID
	SessionID id.ID
	ExpiresAt time.Time
}

// Logout ends the caller's session. One that has ended in the meantime is fine.
func (a *App) Logout(ctx context.Context, tx *pg.Tx) error {
	actor := call.From(ctx).Actor
	_, err := a.endSession(ctx, tx, actor.UserID, actor.SessionID, identityv1.SessionRevoked_LOGOUT, a.Clock.Now())
	return err
}

// DeleteSession ends one of the caller's sessions.
func (a *App) DeleteSession(ctx context.Context, tx *pg.Tx, sessionID id.ID) error {
	removed, err := a.endSession(ctx, tx, call.From(ctx).Actor.UserID, sessionID, identityv1.SessionRevoked_ENDED_BY_USER, a.Clock.Now())
	if err == nil && !removed {
		err = errs.ErrNotFound
	}
	return err
}

// RevokeSessions ends all of the caller's sessions, or all others, in one statement, and returns how many.
func (a *App) RevokeSessions(ctx context.Context, tx *pg.Tx, keepCurrent bool) (int, error) {
	actor := call.From(ctx).Actor
	kept := id.ID{}
	if keepCurrent {
		kept = actor.SessionID
	}
	// Of two at once the second waits here, where neither holds a session.
	if _, _, err := store.LockUserForSession(ctx, tx, actor.UserID); err != nil {
		return 0, err
	}
	removed, err := store.DeleteSessions(ctx, tx, actor.UserID, kept, a.Clock.Now())
	if err != nil {
		return 0, err
	}
	return len(removed), a.ended(ctx, tx, actor.UserID, removed, identityv1.SessionRevoked_ENDED_WITH_OTHERS)
}

// ListSessions returns a page of the caller's live sessions and the token of the next.
func (a *App) ListSessions(ctx context.Context, request list.Request) (string, []domain.Session, error) {
	userID := call.From(ctx).Actor.UserID
	request.Binding = []string{userID.String()}
	query, err := store.Sessions.Parse(request)
	if err != nil {
		return "", nil, err
	}
	return store.ListSessions(ctx, a.DB.Read(pg.ScopeOf(ctx)), userID, query, a.Clock.Now())
}

// LiveSession returns a session, or an impersonation, that has not ended; ErrNotFound when there is none.
func (a *App) LiveSession(ctx context.Context, sessionID id.ID) (domain.Session, error) {
	session, err := store.FindSession(ctx, a.DB.Point(pg.Scope{}), sessionID)
	if errors.Is(err, errs.ErrNotFound) {
		session, err = store.FindImpersonation(ctx, a.DB.Point(pg.Scope{}), sessionID, a.Clock.Now())
	}
	if err == nil && !a.Clock.Now().Before(session.ExpiresAt) {
		err = errs.ErrNotFound
	}
	return session, err
}

// Validate says what an access token is worth at this moment. Why one is not good stays unsaid; not being able to tell
// is an error.
func (a *App) Validate(ctx context.Context, accessToken string) (TokenState, error) {
	actor, err := a.Authenticator.AuthenticateUser(ctx, accessToken)
	if errs.KindOf(err) == errs.Unauthenticated && err != nil {
		return TokenState{}, nil
	}
	if err != nil {
		return TokenState{}, err
	}
	session, err := a.LiveSession(ctx, actor.SessionID)
	if errors.Is(err, errs.ErrNotFound) || err == nil && session.UserID != actor.UserID {
		return TokenState{}, nil
	}
	if err != nil {
		return TokenState{}, err
	}
	expiresAt, err := token.ReadExpiry(accessToken)
	if err != nil {
		return TokenState{}, err
	}
	return TokenState{Active: true, UserID: actor.UserID, SessionID: actor.SessionID, ExpiresAt: expiresAt}, nil
}

// PublicKeys returns the keys that verify access tokens, the youngest first.
func (a *App) PublicKeys(ctx context.Context) (domain.SigningKeys, error) {
	return store.ListPublicKeys(ctx, a.DB.Point(pg.Scope{}), a.Clock.Now())
}

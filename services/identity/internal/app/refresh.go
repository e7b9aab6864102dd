package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
	"github.com/braidhq/braid/services/identity/internal/token"
)

// Refresh trades a refresh token for a new pair. The session's row is locked throughout, so of two at once with the
// same token the second gets the answer of the first. A reused token ends the session, which is kept although the
// answer is an error.
func (a *App) Refresh(ctx context.Context, refreshToken string) (Tokens, error) {
	hash := token.HashRefresh(refreshToken)
	var tokens Tokens
	var verdict domain.Verdict
	err := a.DB.InTx(ctx, pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
		tokens, verdict = Tokens{}, domain.Expired
		known, err := store.ClaimRefreshToken(ctx, tx, hash)
		if errors.Is(err, errs.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		now := a.Clock.Now()
		switch verdict = known.Judge(now); verdict {
		case domain.Rotate:
			tokens, err = a.rotate(ctx, tx, known, refreshToken, now)
		case domain.Repeat:
			tokens, err = repeat(known, refreshToken)
		case domain.Reused:
			err = a.endReused(ctx, tx, known, now)
		case domain.Expired:
		}
		return err
	})
	switch {
	case err != nil:
		return Tokens{}, err
	case verdict == domain.Expired, verdict == domain.Reused:
		return Tokens{}, domain.ErrRefreshTokenInvalid
	}
	return tokens, nil
}

func (a *App) rotate(ctx context.Context, tx *pg.Tx, known domain.RefreshToken, refreshToken string, now time.Time) (Tokens, error) {
	// The database, which knows when the session ends, does not let it live longer.
	session := domain.Session{
		ID: known.SessionID, UserID: known.UserID, LastUsedAt: now, ExpiresAt: now.Add(a.SessionLimits.Idle),
		AuthenticatedAt: known.AuthenticatedAt, Methods: known.Methods, SSO: known.SSO, LongestPause: known.Pause(now),
	}
	tokens, err := a.issue(ctx, session, known.Secured)
	if err != nil {
		return Tokens{}, err
	}
	answer, err := json.Marshal(tokens)
	if err != nil {
		return Tokens{}, fmt.Errorf("encode answer: %w", err)
	}
	sealed, err := token.SealAnswer(refreshToken, answer)
	if err != nil {
		return Tokens{}, err
	}
	store.ActAs(tx, known.UserID)
	err = store.RotateRefreshToken(ctx, tx, token.HashRefresh(refreshToken), sealed, token.HashRefresh(tokens.Refresh), session)
	return tokens, err
}

func repeat(known domain.RefreshToken, refreshToken string) (Tokens, error) {
	answer, err := token.UnsealAnswer(refreshToken, known.SealedAnswer)
	if err != nil {
		return Tokens{}, fmt.Errorf("repeat answer: %w", err)
	}
	var tokens Tokens
	if err := json.Unmarshal(answer, &tokens); err != nil {
		// The cause would hold what it could not read.
		return Tokens{}, errs.New(errs.Internal, "INTERNAL", "Something went wrong on our side.")
	}
	return tokens, nil
}

func (a *App) endReused(ctx context.Context, tx *pg.Tx, known domain.RefreshToken, now time.Time) error {
	store.ActAs(tx, known.UserID)
	_, err := a.endSession(ctx, tx, known.UserID, known.SessionID, identityv1.SessionRevoked_REFRESH_TOKEN_REUSED, now)
	return err
}

// endSession removes a live session, tells of it, and has this process refuse its tokens right after the commit. It
// reports whether there was one.
func (a *App) endSession(ctx context.Context, tx *pg.Tx, userID, sessionID id.ID, reason identityv1.SessionRevoked_Reason, now time.Time) (bool, error) {
	removed, err := store.DeleteSession(ctx, tx, userID, sessionID, now)
	if err != nil || !removed {
		return false, err
	}
	return true, a.ended(ctx, tx, userID, []id.ID{sessionID}, reason)
}

// ended tells of sessions that were removed, and has this process refuse their tokens right after the commit.
func (a *App) ended(ctx context.Context, tx *pg.Tx, userID id.ID, sessionIDs []id.ID, reason identityv1.SessionRevoked_Reason) error {
	if len(sessionIDs) == 0 {
		return nil
	}
	tx.AfterCommit(func() {
		for _, sessionID := range sessionIDs {
			a.Authenticator.EndSession(sessionID)
		}
	})
	return a.sessionsRevoked(ctx, tx, userID, sessionIDs, reason)
}

// endSessions ends a user's sessions but one that is kept, as endSession does each.
func (a *App) endSessions(ctx context.Context, tx *pg.Tx, userID, kept id.ID, reason identityv1.SessionRevoked_Reason) error {
	removed, err := store.DeleteSessions(ctx, tx, userID, kept, a.Clock.Now())
	if err != nil {
		return err
	}
	return a.ended(ctx, tx, userID, removed, reason)
}

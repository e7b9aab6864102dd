package app

import (
	"context"
	"time"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
	"github.com/braidhq/braid/services/identity/internal/token"
)

// Login begins a session. An address without a user costs the same statements and the same hash as a wrong password.
func (a *App) Login(ctx context.Context, email, password string) (Tokens, domain.User, error) {
	address := domain.ParseAddress(email)
	credential, err := store.FindCredential(ctx, a.DB.Point(pg.Scope{}), address)
	if err != nil {
		return Tokens{}, domain.User{}, err
	}
	// No transaction is open here: a connection must not wait for its turn to hash.
	right, err := a.Hasher.Verify(ctx, credential.PasswordHash, password)
	if err != nil {
		return Tokens{}, domain.User{}, err
	}
	if !right {
		return Tokens{}, domain.User{}, a.refuseLogin(ctx, credential.User.ID, address)
	}
	// A hash of earlier parameters is replaced while the password is at hand.
	replacement := ""
	if a.Hasher.Outdated(credential.PasswordHash) {
		if replacement, err = a.Hasher.Hash(ctx, password); err != nil {
			return Tokens{}, domain.User{}, err
		}
	}
	return a.beginSession(ctx, credential.User.ID, replacement)
}

// refuseLogin keeps the fact and answers the same for every cause.
func (a *App) refuseLogin(ctx context.Context, userID id.ID, address domain.Address) error {
	// Derived in both cases, so that it takes the same time.
	key := token.AddressKey(a.Keys, address.Key)
	if !userID.IsZero() {
		key = userID
	}
	err := a.DB.InTx(ctx, pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
		return a.loginFailed(ctx, tx, userID, key, domain.CutUserAgent(call.From(ctx).UserAgent))
	})
	if err != nil {
		return err
	}
	return domain.ErrCredentialsInvalid
}

func (a *App) beginSession(ctx context.Context, userID id.ID, replacementHash string) (Tokens, domain.User, error) {
	work, now := call.From(ctx), a.Clock.Now()
	session := a.SessionLimits.Begin(userID, work.UserAgent, now)
	if work.ClientAddress.IsValid() {
		session.ClientAddress = work.ClientAddress.String()
	}
	tokens, err := a.issue(ctx, session)
	if err != nil {
		return Tokens{}, domain.User{}, err
	}
	var user domain.User
	ctx = actingAs(ctx, userID, session.ID)
	err = a.DB.InTx(ctx, pg.Scope{UserID: userID}, func(ctx context.Context, tx *pg.Tx) (err error) {
		// Of two logins at once the second sees the session of the first: together they must not be too many.
		if user, err = store.LockUserForSession(ctx, tx, userID); err != nil {
			return err
		}
		if replacementHash != "" {
			if err := store.ReplacePasswordHash(ctx, tx, userID, replacementHash, now); err != nil {
				return err
			}
		}
		if err := a.makeRoom(ctx, tx, userID, now); err != nil {
			return err
		}
		if err := store.CreateSession(ctx, tx, session); err != nil {
			return err
		}
		if err := store.CreateRefreshToken(ctx, tx, token.HashRefresh(tokens.Refresh), session); err != nil {
			return err
		}
		if err := a.loginSucceeded(ctx, tx, session); err != nil {
			return err
		}
		return a.noteDevice(ctx, tx, session)
	})
	if err != nil {
		return Tokens{}, domain.User{}, err
	}
	return tokens, user, nil
}

// makeRoom ends the sessions that were not used for the longest time, so that there may be one more.
func (a *App) makeRoom(ctx context.Context, tx *pg.Tx, userID id.ID, now time.Time) error {
	removed, err := store.DeleteLeastUsedSessions(ctx, tx, userID, a.SessionLimits.PerUser-1, now)
	if err != nil {
		return err
	}
	return a.ended(ctx, tx, userID, removed, identityv1.SessionRevoked_TOO_MANY_SESSIONS)
}

func (a *App) issue(ctx context.Context, session domain.Session) (Tokens, error) {
	access, err := a.Issuer.Issue(ctx, session.UserID, session.ID)
	return Tokens{Access: access, Refresh: token.NewRefresh()}, err
}

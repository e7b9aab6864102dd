package app

import (
	"context"

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
	tokens, err := a.beginSession(ctx, credential.User, replacement)
	return tokens, credential.User, err
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

func (a *App) beginSession(ctx context.Context, user domain.User, replacementHash string) (Tokens, error) {
	work, now := call.From(ctx), a.Clock.Now()
	session := domain.Session{
		ID: id.New(), UserID: user.ID, UserAgent: domain.CutUserAgent(work.UserAgent),
		CreatedAt: now, LastUsedAt: now, ExpiresAt: now.Add(a.SessionIdleLifetime),
	}
	if work.ClientAddress.IsValid() {
		session.ClientAddress = work.ClientAddress.String()
	}
	tokens, err := a.issue(ctx, session)
	if err != nil {
		return Tokens{}, err
	}
	ctx = actingAs(ctx, user.ID, session.ID)
	err = a.DB.InTx(ctx, pg.Scope{UserID: user.ID}, func(ctx context.Context, tx *pg.Tx) error {
		if replacementHash != "" {
			if err := store.ReplacePasswordHash(ctx, tx, user.ID, replacementHash, now); err != nil {
				return err
			}
		}
		if err := store.CreateSession(ctx, tx, session); err != nil {
			return err
		}
		if err := store.CreateRefreshToken(ctx, tx, token.HashRefresh(tokens.Refresh), session); err != nil {
			return err
		}
		return a.loginSucceeded(ctx, tx, session)
	})
	if err != nil {
		return Tokens{}, err
	}
	return tokens, nil
}

func (a *App) issue(ctx context.Context, session domain.Session) (Tokens, error) {
	access, err := a.Issuer.Issue(ctx, session.UserID, session.ID)
	return Tokens{Access: access, Refresh: token.NewRefresh()}, err
}

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

// Login begins a session, or asks for a second factor of who has one. An address without a user costs the same statements and the same hash as a wrong password.
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
	tokens, err := a.passPassword(ctx, credential.User, replacement)
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

// passPassword goes on where the password was right: to a session, or to asking for a second factor.
func (a *App) passPassword(ctx context.Context, user domain.User, replacementHash string) (Tokens, error) {
	challengeToken := token.NewChallenge()
	var tokens Tokens
	var factors domain.Factors
	err := a.DB.InTx(ctx, pg.Scope{UserID: user.ID}, func(ctx context.Context, tx *pg.Tx) (err error) {
		if replacementHash != "" {
			if err := store.ReplacePasswordHash(ctx, tx, user.ID, replacementHash, a.Clock.Now()); err != nil {
				return err
			}
		}
		all, err := store.ListFactors(ctx, tx, user.ID)
		if err != nil {
			return err
		}
		if factors = all.Confirmed(""); len(factors) > 0 {
			return store.CreateChallenge(ctx, tx, token.HashChallenge(challengeToken), a.newChallenge(ctx, domain.LoginChallenge, user.ID))
		}
		tokens, err = a.beginSession(ctx, tx, user.ID, []string{domain.ByPassword}, false)
		return err
	})
	if err == nil && len(factors) > 0 {
		err = domain.ErrFactorRequired.With("challengeToken", challengeToken).With("factors", factors.Ways())
	}
	if err != nil {
		return Tokens{}, err
	}
	return tokens, nil
}

// beginSession queues a session that was proven with the methods; secured says whether its user has a second factor. The
// transaction must act as the user.
func (a *App) beginSession(ctx context.Context, tx *pg.Tx, userID id.ID, methods []string, secured bool) (Tokens, error) {
	now, client := a.Clock.Now(), clientOf(ctx)
	session := domain.Session{
		ID: id.New(), UserID: userID, UserAgent: client.UserAgent, ClientAddress: client.Address,
		CreatedAt: now, LastUsedAt: now, ExpiresAt: now.Add(a.SessionIdleLifetime),
		AuthenticatedAt: now, Methods: domain.Combine(methods),
	}
	tokens, err := a.issue(ctx, session, secured)
	if err != nil {
		return Tokens{}, err
	}
	if err := store.CreateSession(ctx, tx, session); err != nil {
		return Tokens{}, err
	}
	if err := store.CreateRefreshToken(ctx, tx, token.HashRefresh(tokens.Refresh), session); err != nil {
		return Tokens{}, err
	}
	return tokens, a.loginSucceeded(actingAs(ctx, userID, session.ID), tx, session)
}

// clientOf is who asks, as far as it can be seen.
func clientOf(ctx context.Context) domain.Client {
	work := call.From(ctx)
	client := domain.Client{UserAgent: domain.CutUserAgent(work.UserAgent)}
	if work.ClientAddress.IsValid() {
		client.Address = work.ClientAddress.String()
	}
	return client
}

func (a *App) issue(ctx context.Context, session domain.Session, secured bool) (Tokens, error) {
	access, err := a.Issuer.Issue(ctx, session, secured)
	return Tokens{Access: access, Refresh: token.NewRefresh()}, err
}

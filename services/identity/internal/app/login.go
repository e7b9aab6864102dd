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

// Login begins a session, or asks for a second factor of who has one. An address without a user costs the same statements and the same hash as a wrong password.
func (a *App) Login(ctx context.Context, email, password string, breakGlass bool) (Tokens, domain.User, error) {
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
	if err := a.requireSSO(ctx, credential.User, "", breakGlass); err != nil {
		return Tokens{}, domain.User{}, err
	}
	// A hash of earlier parameters is replaced while the password is at hand.
	replacement := ""
	if a.Hasher.Outdated(credential.PasswordHash) {
		if replacement, err = a.Hasher.Hash(ctx, password); err != nil {
			return Tokens{}, domain.User{}, err
		}
	}
	begun, err := a.passFirstProof(ctx, credential.User, []string{domain.ByPassword}, func(ctx context.Context, tx *pg.Tx) error {
		if replacement == "" {
			return nil
		}
		return store.ReplacePasswordHash(ctx, tx, credential.User.ID, replacement, a.Clock.Now())
	})
	return begun.Tokens, begun.user, err
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

// passFirstProof goes on where the first proof was right, the password or what a provider said: to a session, or to asking
// for a second factor. What the proof has changed is written in the same transaction, which acts as the user.
func (a *App) passFirstProof(ctx context.Context, user domain.User, methods []string, write func(ctx context.Context, tx *pg.Tx) error) (login, error) {
	challengeToken := token.NewChallenge()
	var begun login
	var factors domain.Factors
	err := a.DB.InTx(ctx, pg.Scope{UserID: user.ID}, func(ctx context.Context, tx *pg.Tx) (err error) {
		if err := write(ctx, tx); err != nil {
			return err
		}
		all, err := store.ListFactors(ctx, tx, user.ID)
		if err != nil {
			return err
		}
		if factors = all.Confirmed(""); len(factors) > 0 {
			challenge := a.newChallenge(ctx, domain.LoginChallenge, user.ID)
			challenge.Methods = methods
			return store.CreateChallenge(ctx, tx, token.HashChallenge(challengeToken), challenge)
		}
		begun, err = a.beginSession(ctx, tx, user.ID, methods, false)
		return err
	})
	if err == nil && len(factors) > 0 {
		err = domain.ErrFactorRequired.With("challengeToken", challengeToken).With("factors", factors.Ways())
	}
	if err != nil {
		return login{}, err
	}
	return begun, nil
}

// makeRoom ends the sessions that were not used for the longest time, so that there may be one more.
func (a *App) makeRoom(ctx context.Context, tx *pg.Tx, userID id.ID, now time.Time) error {
	removed, err := store.DeleteLeastUsedSessions(ctx, tx, userID, a.SessionLimits.PerUser-1, now)
	if err != nil {
		return err
	}
	return a.ended(ctx, tx, userID, removed, identityv1.SessionRevoked_TOO_MANY_SESSIONS)
}

// beginSession begins a session that was proven with the methods; secured says whether its user has a second factor. The
// transaction must act as the user.
func (a *App) beginSession(ctx context.Context, tx *pg.Tx, userID id.ID, methods []string, secured bool) (login, error) {
	work, now := call.From(ctx), a.Clock.Now()
	session := a.SessionLimits.Begin(userID, work.UserAgent, now)
	session.ClientAddress, session.AuthenticatedAt, session.Methods = clientOf(ctx).Address, now, domain.Combine(methods)
	tokens, err := a.issue(ctx, session, secured)
	if err != nil {
		return login{}, err
	}
	ctx = actingAs(ctx, userID, session.ID)
	// Of two logins at once the second sees the session of the first: together they must not be too many.
	user, err := store.LockUserForSession(ctx, tx, userID)
	if err != nil {
		return login{}, err
	}
	if err := a.makeRoom(ctx, tx, userID, now); err != nil {
		return login{}, err
	}
	if err := store.CreateSession(ctx, tx, session); err != nil {
		return login{}, err
	}
	if err := store.CreateRefreshToken(ctx, tx, token.HashRefresh(tokens.Refresh), session); err != nil {
		return login{}, err
	}
	if err := a.loginSucceeded(ctx, tx, session); err != nil {
		return login{}, err
	}
	return login{tokens, user}, a.noteDevice(ctx, tx, session)
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

package app

import (
	"context"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
	"github.com/braidhq/braid/services/identity/internal/token"
)

// Login begins a session.
func (a *App) Login(ctx context.Context, email, password, deviceToken string) (Tokens, domain.User, error) {
	proven, err := a.provePassword(ctx, email, password, deviceToken)
	if err != nil {
		return Tokens{}, domain.User{}, err
	}
	tokens, err := a.beginSession(ctx, proven)
	return tokens, proven.User, settled(err, nil)
}

// proven is a user whose password was right, and what the session's transaction has to write of that.
type proven struct {
	store.Credential
	// replacementHash is another hash of the same password; empty when the present one is good.
	replacementHash string
	// deviceKnown says that the login came with a device's token that stays good.
	deviceKnown bool
}

// provePassword returns the user whose password it is. An address without a user costs the same statements and the same
// hash as a wrong password, and every refusal but that of a right password under a lock is the same.
func (a *App) provePassword(ctx context.Context, email, password, deviceToken string) (proven, error) {
	address := domain.ParseAddress(email)
	met, err := a.meet(ctx, guessLogin, address, deviceToken)
	if err != nil {
		return proven{}, err
	}
	credential, err := store.FindCredential(ctx, a.DB.Point(pg.Scope{}), address)
	if err != nil {
		return proven{}, err
	}
	// No transaction is open here: a connection must not wait for its turn to hash.
	right, err := a.Hasher.Verify(ctx, credential.PasswordHash, password)
	if err != nil {
		return proven{}, err
	}
	if err := a.answerGuess(ctx, met, right, credential.User.ID, address); err != nil {
		return proven{}, err
	}
	known := proven{Credential: credential, deviceKnown: met.deviceUserID == credential.User.ID}
	// A hash of earlier parameters is replaced while the password is at hand.
	if a.Hasher.Outdated(credential.PasswordHash) {
		known.replacementHash, err = a.Hasher.Hash(ctx, password)
	}
	return known, err
}

// answerGuess judges a password and keeps the fact of a refusal, which is told in the same way for every cause.
func (a *App) answerGuess(ctx context.Context, met guesser, right bool, userID id.ID, address domain.Address) error {
	// Derived in both cases, so that it takes the same time.
	key := token.AddressKey(a.Keys, address.Key)
	if !userID.IsZero() {
		key = userID
	}
	var answer *errs.Error
	err := a.DB.InTx(ctx, pg.Scope{}, func(ctx context.Context, tx *pg.Tx) (err error) {
		if answer, err = a.judge(ctx, tx, met, right); err != nil || answer == nil {
			return err
		}
		return a.loginFailed(ctx, tx, userID, key, domain.CutUserAgent(call.From(ctx).UserAgent))
	})
	return settled(err, answer)
}

func (a *App) beginSession(ctx context.Context, known proven) (Tokens, error) {
	user, work, now := known.User, call.From(ctx), a.Clock.Now()
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
	if !known.deviceKnown {
		tokens.Device = token.NewDevice()
	}
	ctx = actingAs(ctx, user.ID, session.ID)
	err = a.DB.InTx(ctx, pg.Scope{UserID: user.ID}, func(ctx context.Context, tx *pg.Tx) error {
		if err := store.HoldPassword(ctx, tx, user.ID, known.PasswordRevision); err != nil {
			return err
		}
		if known.replacementHash != "" {
			if err := store.ReplacePasswordHash(ctx, tx, user.ID, known.replacementHash, now); err != nil {
				return err
			}
		}
		if tokens.Device != "" {
			if err := store.CreateDevice(ctx, tx, user.ID, token.HashDevice(tokens.Device), now); err != nil {
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

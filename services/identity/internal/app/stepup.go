package app

import (
	"context"
	"errors"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/passkey"
	"github.com/braidhq/braid/services/identity/internal/store"
)

// Proof is what somebody shows to raise a session: one of them is set.
type Proof struct {
	Password string
	Code     string
	// Passkey is the browser's answer, as JSON.
	Passkey []byte
	// DeviceToken comes with a password, if the client has one.
	DeviceToken string
}

// StepUp raises the caller's session and returns an access token of it.
func (a *App) StepUp(ctx context.Context, proof Proof) (string, error) {
	if proof.Password != "" {
		return a.stepUpByPassword(ctx, proof)
	}
	var assertion *passkey.Assertion
	if proof.Code == "" {
		var err error
		if assertion, err = passkey.ParseAssertion(proof.Passkey); err != nil {
			return "", err
		}
	}
	var session domain.Session
	var refusal error
	err := a.DB.InTx(ctx, pg.ScopeOf(ctx), func(ctx context.Context, tx *pg.Tx) error {
		refusal = nil
		methods, err := a.tryFactor(ctx, tx, proof.Code, assertion)
		if errors.Is(err, domain.ErrFactorCode) || errors.Is(err, domain.ErrPasskeyInvalid) {
			refusal = err
			return a.factorRefused(ctx, tx, caller(ctx))
		}
		if err != nil {
			return err
		}
		session, err = a.raiseSession(ctx, tx, methods)
		return err
	})
	if err == nil {
		err = refusal
	}
	if err != nil {
		return "", err
	}
	return a.Issuer.Issue(ctx, session, true)
}

func (a *App) tryFactor(ctx context.Context, tx *pg.Tx, code string, assertion *passkey.Assertion) ([]string, error) {
	if assertion == nil {
		return a.tryCode(ctx, tx, caller(ctx), code)
	}
	shown, err := a.tryPasskey(ctx, tx, assertion, id.ID{}, caller(ctx))
	return shown.Methods, err
}

// stepUpByPassword is for who has no second factor.
func (a *App) stepUpByPassword(ctx context.Context, proof Proof) (string, error) {
	user, err := a.unsecured(ctx)
	if err != nil {
		return "", err
	}
	_, err = a.tryPassword(ctx, passwordTry{
		address: domain.ParseAddress(user.Email), password: proof.Password, deviceToken: proof.DeviceToken, ownerID: user.ID,
		refused: func(ctx context.Context, tx *pg.Tx, _ id.ID) error { return a.factorRefused(ctx, tx, user.ID) },
	})
	if err != nil {
		return "", err
	}
	var session domain.Session
	err = a.DB.InTx(ctx, pg.ScopeOf(ctx), func(ctx context.Context, tx *pg.Tx) (err error) {
		session, err = a.raiseSession(ctx, tx, []string{domain.ByPassword})
		return err
	})
	if err != nil {
		return "", err
	}
	return a.Issuer.Issue(ctx, session, false)
}

// unsecured returns the caller, who must have no second factor.
func (a *App) unsecured(ctx context.Context) (user domain.User, err error) {
	err = a.DB.InTx(ctx, pg.ScopeOf(ctx), func(ctx context.Context, tx *pg.Tx) error {
		factors, err := store.ListFactors(ctx, tx, caller(ctx))
		if err != nil {
			return err
		}
		if confirmed := factors.Confirmed(""); len(confirmed) > 0 {
			return domain.ErrFactorRequired.With("factors", confirmed.Ways())
		}
		user, err = store.GetUser(ctx, tx, caller(ctx))
		return err
	})
	return user, err
}

// raiseSession adds a proof to the caller's session.
func (a *App) raiseSession(ctx context.Context, tx *pg.Tx, methods []string) (domain.Session, error) {
	now, actor := a.Clock.Now(), call.From(ctx).Actor
	session, err := store.LockSession(ctx, tx, actor.UserID, actor.SessionID, now)
	if err != nil {
		return domain.Session{}, err
	}
	session = session.Raise(methods, now)
	if err := store.RaiseSession(ctx, tx, session); err != nil {
		return domain.Session{}, err
	}
	return session, a.sessionRaised(ctx, tx, session)
}

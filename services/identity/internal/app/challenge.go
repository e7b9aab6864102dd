package app

import (
	"context"
	"errors"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/passkey"
	"github.com/braidhq/braid/services/identity/internal/store"
	"github.com/braidhq/braid/services/identity/internal/token"
)

// login is what the second step of a login ends with.
type login struct {
	Tokens
	user domain.User
}

// LoginWithFactor ends a login that Login has asked a factor for, with a code. A wrong one counts against the challenge
// and the account; that is kept although the answer is an error.
func (a *App) LoginWithFactor(ctx context.Context, challengeToken, code string) (Tokens, domain.User, error) {
	hash := token.HashChallenge(challengeToken)
	var begun login
	var refusal error
	err := a.DB.InTx(ctx, pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
		begun, refusal = login{}, nil
		challenge, err := a.openChallenge(ctx, tx, hash, domain.LoginChallenge)
		if err != nil {
			return err
		}
		store.ActAs(tx, challenge.UserID)
		if err := a.holdFirstStep(ctx, tx, challenge); err != nil {
			return err
		}
		proof, err := a.tryCode(ctx, tx, challenge.UserID, code)
		if errors.Is(err, domain.ErrFactorCode) {
			refusal = err
			return a.refuseSecondStep(ctx, tx, challenge.UserID, hash)
		}
		if err != nil {
			return err
		}
		begun, err = a.endLogin(ctx, tx, challenge, hash, append(proof, challenge.Methods...))
		return err
	})
	if err == nil {
		err = refusal
	}
	if err != nil {
		return Tokens{}, domain.User{}, err
	}
	return begun.Tokens, begun.user, nil
}

// BeginPasskey asks for a passkey: any of anybody, or one of those of the user who is in the second step of a login.
func (a *App) BeginPasskey(ctx context.Context, challengeToken string) ([]byte, error) {
	var options []byte
	err := a.DB.InTx(ctx, pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
		begun, owner := passkey.Begun{}, id.ID{}
		var err error
		if challengeToken == "" {
			begun, err = a.Passkeys.BeginLogin()
		} else {
			begun, owner, err = a.beginSecondStep(ctx, tx, token.HashChallenge(challengeToken))
		}
		if err != nil {
			return err
		}
		options = begun.Options
		return a.keepCeremony(ctx, tx, domain.PasskeyChallenge, owner, begun)
	})
	return options, err
}

func (a *App) beginSecondStep(ctx context.Context, tx *pg.Tx, hash []byte) (passkey.Begun, id.ID, error) {
	challenge, err := a.openChallenge(ctx, tx, hash, domain.LoginChallenge)
	if err != nil {
		return passkey.Begun{}, id.ID{}, err
	}
	store.ActAs(tx, challenge.UserID)
	owner, err := a.ownerOf(ctx, tx, challenge.UserID)
	if err != nil {
		return passkey.Begun{}, id.ID{}, err
	}
	if len(owner.Passkeys) == 0 {
		return passkey.Begun{}, id.ID{}, domain.ErrPasskeyInvalid
	}
	begun, err := a.Passkeys.BeginSecondStep(owner)
	return begun, owner.ID, err
}

// FinishPasskey logs in with the passkey that was shown: by itself, or as the second step of a login. What it answers is
// used up whether it holds or not.
func (a *App) FinishPasskey(ctx context.Context, answer []byte, challengeToken string) (Tokens, domain.User, error) {
	assertion, err := passkey.ParseAssertion(answer)
	if err != nil {
		return Tokens{}, domain.User{}, err
	}
	if err := a.requireSSOOfPasskey(ctx, assertion, challengeToken); err != nil {
		return Tokens{}, domain.User{}, err
	}
	var begun login
	var refusal error
	err = a.DB.InTx(ctx, pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
		begun, refusal = login{}, nil
		var firstStep domain.Challenge
		var hash []byte
		var proof []string
		if challengeToken != "" {
			var err error
			hash = token.HashChallenge(challengeToken)
			if firstStep, err = a.openChallenge(ctx, tx, hash, domain.LoginChallenge); err != nil {
				return err
			}
			store.ActAs(tx, firstStep.UserID)
			if err := a.holdFirstStep(ctx, tx, firstStep); err != nil {
				return err
			}
			proof = firstStep.Methods
		}
		shown, err := a.tryPasskey(ctx, tx, assertion, firstStep.UserID, firstStep.UserID)
		if errors.Is(err, domain.ErrPasskeyInvalid) {
			refusal = err
			return a.refuseSecondStep(ctx, tx, shown.Factor.UserID, hash)
		}
		if err != nil {
			return err
		}
		firstStep.UserID = shown.Factor.UserID
		begun, err = a.endLogin(ctx, tx, firstStep, hash, append(proof, shown.Methods...))
		return err
	})
	if err == nil {
		err = refusal
	}
	if err != nil {
		return Tokens{}, domain.User{}, err
	}
	return begun.Tokens, begun.user, nil
}

// endLogin begins the session of a login whose second step was right, and closes its challenge; the hash is nil when there
// was only one step.
func (a *App) endLogin(ctx context.Context, tx *pg.Tx, answered domain.Challenge, hash []byte, methods []string) (login, error) {
	if hash != nil {
		if err := store.DeleteChallenge(ctx, tx, hash); err != nil {
			return login{}, err
		}
	}
	return a.beginSession(ctx, tx, opening{
		userID: answered.UserID, methods: methods, secured: true, sso: answered.SSO, deviceKnown: answered.DeviceKnown,
	})
}

// holdFirstStep refuses a second step whose first is worth nothing any more: the password was replaced since.
func (a *App) holdFirstStep(ctx context.Context, tx *pg.Tx, challenge domain.Challenge) error {
	err := store.HoldPassword(ctx, tx, challenge.UserID, challenge.PasswordRevision)
	if errors.Is(err, store.ErrPasswordReplaced) {
		return domain.ErrChallengeExpired
	}
	return err
}

// refuseSecondStep keeps that something wrong was shown: for the user, if it is known who that is, and for the challenge of
// the first step, if there was one.
func (a *App) refuseSecondStep(ctx context.Context, tx *pg.Tx, userID id.ID, hash []byte) error {
	if hash != nil {
		if err := store.CountChallengeTry(ctx, tx, hash); err != nil {
			return err
		}
	}
	if userID.IsZero() {
		return nil
	}
	return a.factorRefused(ctx, tx, userID)
}

func (a *App) newChallenge(ctx context.Context, kind domain.ChallengeKind, userID id.ID) domain.Challenge {
	return domain.Challenge{
		Kind: kind, UserID: userID, Client: clientOf(ctx), ExpiresAt: a.Clock.Now().Add(domain.ChallengeLifetime),
	}
}

// keepCeremony queues what the signature will be checked against; the zero user is anybody.
func (a *App) keepCeremony(ctx context.Context, tx *pg.Tx, kind domain.ChallengeKind, userID id.ID, begun passkey.Begun) error {
	challenge := a.newChallenge(ctx, kind, userID)
	challenge.Ceremony = begun.Ceremony
	return store.CreateChallenge(ctx, tx, token.HashChallenge(begun.Challenge), challenge)
}

// openChallenge returns a challenge that may be answered now by this client, and makes others wait who want to answer it.
func (a *App) openChallenge(ctx context.Context, tx *pg.Tx, hash []byte, kind domain.ChallengeKind) (domain.Challenge, error) {
	store.UseChallenge(tx, hash)
	challenge, err := store.LockChallenge(ctx, tx, hash)
	if errors.Is(err, errs.ErrNotFound) {
		return domain.Challenge{}, domain.ErrChallengeExpired
	}
	if err != nil {
		return domain.Challenge{}, err
	}
	return challenge, challenge.Check(kind, clientOf(ctx), a.Clock.Now())
}

// closeCeremony is openChallenge for what may be answered once: it is gone with the transaction.
func (a *App) closeCeremony(ctx context.Context, tx *pg.Tx, text string, kind domain.ChallengeKind) (domain.Challenge, error) {
	hash := token.HashChallenge(text)
	challenge, err := a.openChallenge(ctx, tx, hash, kind)
	if err != nil {
		return domain.Challenge{}, err
	}
	return challenge, store.DeleteChallenge(ctx, tx, hash)
}

// ownerOf returns a user with the passkeys. The transaction must act as the user.
func (a *App) ownerOf(ctx context.Context, tx *pg.Tx, userID id.ID) (passkey.Owner, error) {
	user, err := store.GetUser(ctx, tx, userID)
	if err != nil {
		return passkey.Owner{}, err
	}
	factors, err := store.ListFactors(ctx, tx, userID)
	return passkey.Owner{User: user, Passkeys: factors.Confirmed(domain.Passkey)}, err
}

// caller is the user whose session the request came with.
func caller(ctx context.Context) id.ID { return call.From(ctx).Actor.UserID }

package app

import (
	"context"
	"slices"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/passkey"
	"github.com/braidhq/braid/services/identity/internal/store"
	"github.com/braidhq/braid/services/identity/internal/token"
	"github.com/braidhq/braid/services/identity/internal/totp"
)

// issuerName is what authenticator apps show beside the address.
const issuerName = "Braid"

// NewTOTP is what an authenticator app must learn.
type NewTOTP struct {
	ID     id.ID
	Secret string
	URI    string
}

// ListFactors returns the caller's factors and how many backup codes are left.
func (a *App) ListFactors(ctx context.Context) (domain.Factors, int32, error) {
	querier := a.DB.Point(pg.ScopeOf(ctx))
	factors, err := store.ListFactors(ctx, querier, caller(ctx))
	if err != nil {
		return nil, 0, err
	}
	left, err := store.CountBackupCodes(ctx, querier, caller(ctx))
	return factors, left, err
}

// CreateTOTP makes a secret that counts for nothing until a code of it is seen. It takes the place of one that waits.
func (a *App) CreateTOTP(ctx context.Context, name string) (NewTOTP, error) {
	secret := totp.NewSecret()
	factor := domain.Factor{ID: id.New(), UserID: caller(ctx), Kind: domain.TOTP, Name: domain.NameFactor(name, domain.TOTP), CreatedAt: a.Clock.Now()}
	var err error
	if factor.SealedSecret, err = a.Keys.Seal(secret, factorData(factor.ID)); err != nil {
		return NewTOTP{}, err
	}
	var user domain.User
	err = a.DB.InTx(ctx, pg.ScopeOf(ctx), func(ctx context.Context, tx *pg.Tx) error {
		factors, err := store.LockFactors(ctx, tx, factor.UserID)
		if err != nil {
			return err
		}
		if err := factors.CheckRoom(); err != nil {
			return err
		}
		if user, err = store.GetUser(ctx, tx, factor.UserID); err != nil {
			return err
		}
		if err := store.DeleteUnconfirmed(ctx, tx, factor.UserID); err != nil {
			return err
		}
		return store.CreateFactor(ctx, tx, factor)
	})
	return NewTOTP{factor.ID, totp.Encode(secret), totp.URI(issuerName, user.Email, secret)}, err
}

// ConfirmFactor lets a TOTP factor count from its first code on. It returns backup codes with the user's first factor.
func (a *App) ConfirmFactor(ctx context.Context, factorID id.ID, code string) (domain.Factor, []string, error) {
	var factor domain.Factor
	var codes []string
	err := a.DB.InTx(ctx, pg.ScopeOf(ctx), func(ctx context.Context, tx *pg.Tx) error {
		factors, err := store.LockFactors(ctx, tx, caller(ctx))
		if err != nil {
			return err
		}
		now := a.Clock.Now()
		at := slices.IndexFunc(factors, func(known domain.Factor) bool { return known.ID == factorID })
		switch {
		case at < 0:
			return errs.ErrNotFound
		case factors[at].Confirmed():
			return domain.ErrFactorConfirmed
		case !now.Before(factors[at].CreatedAt.Add(domain.ConfirmationTime)):
			return errs.ErrNotFound
		}
		factor = factors[at]
		step, matches, err := a.matchTOTP(factor, code)
		if err != nil {
			return err
		}
		if !matches {
			return domain.ErrFactorCode
		}
		factor.ConfirmedAt, factor.LastStep = &now, &step
		if err := store.ConfirmFactor(ctx, tx, factor); err != nil {
			return err
		}
		codes, err = a.addFactor(ctx, tx, factors, factor, []string{domain.ByCode})
		return err
	})
	if err != nil {
		return domain.Factor{}, nil, err
	}
	return factor, codes, nil
}

// addFactor does what follows from one more factor: it is told of, the caller's session is raised by it, and with the
// first come backup codes.
func (a *App) addFactor(ctx context.Context, tx *pg.Tx, before domain.Factors, factor domain.Factor, methods []string) (codes []string, err error) {
	if len(before.Confirmed("")) == 0 {
		if codes, err = a.replaceBackupCodes(ctx, tx, factor.UserID); err != nil {
			return nil, err
		}
	}
	if _, err := a.raiseSession(ctx, tx, methods); err != nil {
		return nil, err
	}
	// Tokens of other sessions say that there is no factor: this process knows better right away.
	now := a.Clock.Now()
	session := call.From(ctx).Actor.SessionID
	tx.AfterCommit(func() { a.Authenticator.Secure(factor.UserID, session, now) })
	return codes, a.factorAdded(ctx, tx, factor)
}

func (a *App) replaceBackupCodes(ctx context.Context, tx *pg.Tx, userID id.ID) ([]string, error) {
	codes, hashes := make([]string, domain.BackupCodes), make([][]byte, domain.BackupCodes)
	for i := range codes {
		codes[i] = token.NewBackupCode()
		hashes[i] = token.HashBackupCode(a.Keys, userID, codes[i])
	}
	return codes, store.ReplaceBackupCodes(ctx, tx, userID, hashes)
}

// RenameFactor gives one of the caller's factors another name; nil asks for nothing.
func (a *App) RenameFactor(ctx context.Context, tx *pg.Tx, factorID id.ID, name *string) (domain.Factor, error) {
	factor, err := store.LockFactor(ctx, tx, caller(ctx), factorID)
	if err != nil || name == nil {
		return factor, err
	}
	wanted, err := domain.ParseDisplayName(*name, "factor.name")
	if err != nil || wanted == factor.Name {
		return factor, err
	}
	factor.Name = wanted
	if err := store.RenameFactor(ctx, tx, factor); err != nil {
		return domain.Factor{}, err
	}
	return factor, a.factorUpdated(ctx, tx, factor)
}

// DeleteFactor removes one of the caller's factors, and with the last one the backup codes.
func (a *App) DeleteFactor(ctx context.Context, tx *pg.Tx, factorID id.ID) error {
	userID := caller(ctx)
	factors, err := store.LockFactors(ctx, tx, userID)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(factors, func(known domain.Factor) bool { return known.ID == factorID })
	if at < 0 {
		return errs.ErrNotFound
	}
	factor := factors[at]
	hasPassword, err := store.HasPassword(ctx, tx, userID)
	if err != nil {
		return err
	}
	if err := factors.CheckRemoval(factor, hasPassword); err != nil {
		return err
	}
	if err := store.DeleteFactor(ctx, tx, factor); err != nil || !factor.Confirmed() {
		return err
	}
	last := len(factors.Confirmed("")) == 1
	if last {
		if err := store.ReplaceBackupCodes(ctx, tx, userID, nil); err != nil {
			return err
		}
		// What asks for a second factor asks for one that there is: sessions lose it with their next token.
		if err := store.ForgetSecondFactor(ctx, tx, userID); err != nil {
			return err
		}
	}
	return a.factorRemoved(ctx, tx, factor, last)
}

// RegenerateBackupCodes gives the caller new codes in place of those there were.
func (a *App) RegenerateBackupCodes(ctx context.Context) (codes []string, err error) {
	err = a.DB.InTx(ctx, pg.ScopeOf(ctx), func(ctx context.Context, tx *pg.Tx) error {
		factors, err := store.LockFactors(ctx, tx, caller(ctx))
		if err != nil {
			return err
		}
		if len(factors.Confirmed("")) == 0 {
			return domain.ErrFactorMissing
		}
		if codes, err = a.replaceBackupCodes(ctx, tx, caller(ctx)); err != nil {
			return err
		}
		return a.backupCodesRegenerated(ctx, tx, caller(ctx))
	})
	return codes, err
}

// BeginPasskeyRegistration asks the caller's browser for a new passkey.
func (a *App) BeginPasskeyRegistration(ctx context.Context) (options []byte, err error) {
	err = a.DB.InTx(ctx, pg.ScopeOf(ctx), func(ctx context.Context, tx *pg.Tx) error {
		owner, err := a.ownerOf(ctx, tx, caller(ctx))
		if err != nil {
			return err
		}
		begun, err := a.Passkeys.BeginRegistration(owner)
		if err != nil {
			return err
		}
		options = begun.Options
		return a.keepCeremony(ctx, tx, domain.RegistrationChallenge, owner.ID, begun)
	})
	return options, err
}

// FinishPasskeyRegistration keeps a passkey that the caller's browser has made. It returns backup codes with the user's
// first factor.
func (a *App) FinishPasskeyRegistration(ctx context.Context, answer []byte, name string) (domain.Factor, []string, error) {
	attestation, err := passkey.ParseAttestation(answer)
	if err != nil {
		return domain.Factor{}, nil, err
	}
	now := a.Clock.Now()
	factor := domain.Factor{
		ID: id.New(), UserID: caller(ctx), Kind: domain.Passkey, Name: domain.NameFactor(name, domain.Passkey), CreatedAt: now, ConfirmedAt: &now,
	}
	var codes []string
	err = a.DB.InTx(ctx, pg.ScopeOf(ctx), func(ctx context.Context, tx *pg.Tx) error {
		ceremony, err := a.closeCeremony(ctx, tx, attestation.Challenge(), domain.RegistrationChallenge)
		if err != nil {
			return err
		}
		if ceremony.UserID != factor.UserID {
			return domain.ErrChallengeExpired
		}
		factors, err := store.LockFactors(ctx, tx, factor.UserID)
		if err != nil {
			return err
		}
		if err := factors.CheckRoom(); err != nil {
			return err
		}
		owner, err := a.ownerOf(ctx, tx, factor.UserID)
		if err != nil {
			return err
		}
		var methods []string
		if factor.Key, methods, err = a.Passkeys.FinishRegistration(owner, ceremony.Ceremony, attestation); err != nil {
			return err
		}
		if err := store.CreateFactor(ctx, tx, factor); err != nil {
			return err
		}
		codes, err = a.addFactor(ctx, tx, factors, factor, methods)
		return err
	})
	if store.IsPasskeyTaken(err) {
		err = domain.ErrPasskeyInvalid.WithCause(err)
	}
	if err != nil {
		return domain.Factor{}, nil, err
	}
	return factor, codes, nil
}

// SecuredUsers returns those of the users that have a second factor, for another service.
func (a *App) SecuredUsers(ctx context.Context, userIDs []id.ID) ([]id.ID, error) {
	return store.FindSecured(ctx, a.DB.Point(pg.Scope{}), userIDs)
}

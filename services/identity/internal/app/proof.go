package app

import (
	"context"
	"errors"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/passkey"
	"github.com/braidhq/braid/services/identity/internal/store"
	"github.com/braidhq/braid/services/identity/internal/token"
	"github.com/braidhq/braid/services/identity/internal/totp"
)

// takeTry counts a try against a user before anything is looked at, so that tries at once, in however many processes, are
// no more than one after the other. It holds others back until the transaction ends.
func (a *App) takeTry(ctx context.Context, tx *pg.Tx, userID id.ID) error {
	now := a.Clock.Now()
	tries, since, err := store.TakeTry(ctx, tx, userID, now)
	if err == nil && tries > domain.ProofTries {
		err = domain.ErrFactorLocked.WithRetryAfter(since.Add(domain.ProofWindow).Sub(now))
	}
	return err
}

// tryCode uses a code of an authenticator app or a backup code up, and returns the methods that it proves. It answers
// ErrFactorCode for one that is wrong or was used, which the caller has to keep. The transaction must act as the user.
func (a *App) tryCode(ctx context.Context, tx *pg.Tx, userID id.ID, code string) ([]string, error) {
	if err := a.takeTry(ctx, tx, userID); err != nil {
		return nil, err
	}
	try := a.tryBackupCode
	if totp.IsCode(code) {
		try = a.tryTOTP
	}
	good, err := try(ctx, tx, userID, code)
	if err == nil && !good {
		err = domain.ErrFactorCode
	}
	if err != nil {
		return nil, err
	}
	return []string{domain.ByCode}, store.ResetTries(ctx, tx, userID)
}

// passwordTry is a password that is shown for an address.
type passwordTry struct {
	address               domain.Address
	password, deviceToken string
	// ownerID is whose it must be; zero for whoever has the address.
	ownerID id.ID
	// refused keeps the fact of a refusal, if anything does. It is told whose the address is, zero for nobody's.
	refused func(ctx context.Context, tx *pg.Tx, userID id.ID) error
}

// tryPassword returns whose password it is. The guess is judged before anything else depends on it, so that a right one
// under a lock is told from a wrong one by nothing but its answer.
func (a *App) tryPassword(ctx context.Context, try passwordTry) (proven, error) {
	met, err := a.meet(ctx, try.deviceToken)
	if err != nil {
		return proven{}, err
	}
	credential, err := store.FindCredential(ctx, a.DB.Point(pg.Scope{}), try.address)
	if err != nil {
		return proven{}, err
	}
	// No transaction is open here: a connection must not wait for its turn to hash.
	right, err := a.Hasher.Verify(ctx, credential.PasswordHash, try.password)
	if err != nil {
		return proven{}, err
	}
	guess := a.atPassword(met, try.address, credential.PasswordRevision)
	guess.Right = right && (try.ownerID.IsZero() || try.ownerID == credential.User.ID)
	var answer *errs.Error
	err = a.DB.InTx(ctx, pg.Scope{}, func(ctx context.Context, tx *pg.Tx) (err error) {
		_, answer, err = a.judge(ctx, tx, guess)
		if err != nil || answer == nil || try.refused == nil {
			return err
		}
		return try.refused(ctx, tx, credential.User.ID)
	})
	return proven{
		Credential: credential, methods: []string{domain.ByPassword}, deviceKnown: met.deviceUserID == credential.User.ID,
	}, settled(err, answer)
}

func (a *App) tryTOTP(ctx context.Context, tx *pg.Tx, userID id.ID, code string) (bool, error) {
	factors, err := store.ListFactors(ctx, tx, userID)
	if err != nil {
		return false, err
	}
	for _, factor := range factors.Confirmed(domain.TOTP) {
		step, matches, err := a.matchTOTP(factor, code)
		if err != nil {
			return false, err
		}
		if !matches {
			continue
		}
		used, err := store.UseStep(ctx, tx, factor, step, a.Clock.Now())
		if err != nil || used {
			return used, err
		}
	}
	return false, nil
}

func (a *App) matchTOTP(factor domain.Factor, code string) (step int64, matches bool, err error) {
	secret, err := a.Keys.Unseal(factor.SealedSecret, factorData(factor.ID))
	if err != nil {
		return 0, false, err
	}
	step, matches = totp.Match(secret, code, a.Clock.Now())
	return step, matches, nil
}

// factorData binds a sealed secret to its factor.
func factorData(factorID id.ID) []byte { return []byte("factor/" + factorID.String()) }

func (a *App) tryBackupCode(ctx context.Context, tx *pg.Tx, userID id.ID, code string) (bool, error) {
	used, err := store.UseBackupCode(ctx, tx, userID, token.HashBackupCode(a.Keys, userID, code))
	if err != nil || !used {
		return false, err
	}
	left, err := store.CountBackupCodes(ctx, tx, userID)
	if err != nil {
		return false, err
	}
	return true, a.backupCodeUsed(ctx, tx, userID, left)
}

// tryPasskey verifies a signature and uses its ceremony up. The ceremony must have been begun for the user begunFor, zero
// for anybody, and the passkey must be one of the user wanted, zero for anybody's. It answers ErrPasskeyInvalid for what
// does not hold, with the user in the factor when it is known whose it was to be; the caller has to keep that. After it the
// transaction acts as the user.
func (a *App) tryPasskey(ctx context.Context, tx *pg.Tx, assertion *passkey.Assertion, begunFor, wanted id.ID) (passkey.Shown, error) {
	ceremony, err := a.closeCeremony(ctx, tx, assertion.Challenge(), domain.PasskeyChallenge)
	if err != nil {
		return passkey.Shown{}, err
	}
	if ceremony.UserID != begunFor {
		return passkey.Shown{}, domain.ErrChallengeExpired
	}
	ownerID, err := store.FindPasskeyOwner(ctx, tx, assertion.CredentialID())
	if errors.Is(err, errs.ErrNotFound) || err == nil && !wanted.IsZero() && ownerID != wanted {
		return passkey.Shown{Factor: domain.Factor{UserID: wanted}}, domain.ErrPasskeyInvalid
	}
	if err != nil {
		return passkey.Shown{}, err
	}
	store.ActAs(tx, ownerID)
	owner, err := a.ownerOf(ctx, tx, ownerID)
	if err != nil {
		return passkey.Shown{}, err
	}
	shown, err := a.Passkeys.Finish(owner, ceremony.Ceremony, assertion)
	if err != nil {
		return passkey.Shown{Factor: domain.Factor{UserID: ownerID}}, err
	}
	return shown, a.usePasskey(ctx, tx, shown)
}

// usePasskey keeps that a passkey was used; one that may be a copy is refused, and told of.
func (a *App) usePasskey(ctx context.Context, tx *pg.Tx, shown passkey.Shown) error {
	now := a.Clock.Now()
	used := false
	if !shown.Copied {
		var err error
		if used, err = store.UsePasskey(ctx, tx, shown.Factor, now); err != nil {
			return err
		}
	}
	if used {
		return nil
	}
	if err := store.SuspectPasskey(ctx, tx, shown.Factor, now); err != nil {
		return err
	}
	if err := a.factorSuspected(ctx, tx, shown.Factor); err != nil {
		return err
	}
	return domain.ErrPasskeyInvalid
}

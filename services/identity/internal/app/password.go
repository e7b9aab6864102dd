package app

import (
	"context"
	"errors"
	"time"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/mailaddress"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/password"
	"github.com/braidhq/braid/services/identity/internal/store"
	"github.com/braidhq/braid/services/identity/internal/token"
)

// PasswordResetMail is what the mail of a forgotten password says.
type PasswordResetMail struct {
	Email string
	// Token is empty when the address has no account.
	Token     string
	ExpiresAt time.Time
}

// ForgotPassword has a token mailed that sets another password. For an address without an account it does the same, and
// the mail will say so.
func (a *App) ForgotPassword(ctx context.Context, email string) error {
	address := domain.ParseAddress(email)
	if err := mailaddress.Check("email", address.Typed); err != nil {
		return err
	}
	now := a.Clock.Now()
	reset := domain.PasswordReset{
		ID: id.New(), Address: address, Nonce: token.NewNonce(), CreatedAt: now, ExpiresAt: now.Add(domain.ResetLifetime),
	}
	reset.TokenHash = token.HashMailed(token.ForPasswordReset, token.Mailed(a.Keys, token.ForPasswordReset, reset.ID, reset.Nonce))
	return a.DB.InTx(ctx, pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
		allowed, err := a.mayMail(ctx, tx, address)
		if err != nil || !allowed {
			return err
		}
		store.UseAddress(tx, address)
		if err := store.CreatePasswordReset(ctx, tx, reset); err != nil {
			return err
		}
		return a.passwordResetRequested(ctx, tx, reset)
	})
}

// ResetPassword sets another password with a mailed token, ends every session and access token and forgets every device. The
// mailed token ends with it, and those that were mailed besides it. It returns how many access tokens there were.
func (a *App) ResetPassword(ctx context.Context, mailed, newPassword string) (ended int, err error) {
	hashed := token.HashMailed(token.ForPasswordReset, mailed)
	found, err := store.FindPasswordReset(ctx, a.DB.Point(pg.Scope{}), hashed)
	if errors.Is(err, errs.ErrNotFound) {
		return 0, domain.ErrLinkInvalid
	}
	if err != nil {
		return 0, err
	}
	if !a.Clock.Now().Before(found.ExpiresAt) {
		return 0, domain.ErrCodeExpired
	}
	hash, err := a.hashNew(ctx, "newPassword", newPassword, passwordOwnerOf(found.User))
	if err != nil {
		return 0, err
	}
	ctx = actingAs(ctx, found.User.ID, id.ID{})
	err = a.DB.InTx(ctx, pg.Scope{UserID: found.User.ID}, func(ctx context.Context, tx *pg.Tx) error {
		used, err := store.UsePasswordReset(ctx, tx, found.User.ID, hashed)
		if err != nil {
			return err
		}
		if !used {
			return domain.ErrLinkInvalid
		}
		if err := store.DeleteDevices(ctx, tx, found.User.ID); err != nil {
			return err
		}
		if err := a.replacePassword(ctx, tx, found.User.ID, hash, id.ID{}, identityv1.SessionRevoked_PASSWORD_RESET); err != nil {
			return err
		}
		// After the sessions: a token that one of them was making is there by now, and no other comes.
		ended, err = a.endAccessTokens(ctx, tx, found.User.ID)
		return err
	})
	return ended, err
}

// ChangePassword sets another password for the caller, who must know the present one, and ends the caller's other
// sessions. Nothing is said of the other password before the present one has passed: under a lock that would tell that it
// is right.
func (a *App) ChangePassword(ctx context.Context, currentPassword, newPassword, deviceToken string) error {
	actor := call.From(ctx).Actor
	user, err := a.User(ctx, actor.UserID)
	if err != nil {
		return err
	}
	known, err := a.tryPassword(ctx, passwordTry{
		address: domain.ParseAddress(user.Email), password: currentPassword, deviceToken: deviceToken, ownerID: user.ID,
	})
	if err != nil {
		return err
	}
	if password.Same(currentPassword, newPassword) {
		return domain.ErrPasswordUnchanged
	}
	hash, err := a.hashNew(ctx, "newPassword", newPassword, passwordOwnerOf(user))
	if err != nil {
		return err
	}
	err = a.DB.InTx(ctx, pg.Scope{UserID: user.ID}, func(ctx context.Context, tx *pg.Tx) error {
		if err := store.HoldPassword(ctx, tx, user.ID, known.PasswordRevision); err != nil {
			return err
		}
		return a.replacePassword(ctx, tx, user.ID, hash, actor.SessionID, identityv1.SessionRevoked_PASSWORD_CHANGED)
	})
	return settled(err, nil)
}

// settled is the answer to a guess that was judged: what went wrong, else the refusal, else nil.
func settled(err error, answer *errs.Error) error {
	switch {
	case errors.Is(err, store.ErrPasswordReplaced):
		return domain.ErrCredentialsInvalid
	case err != nil:
		return err
	case answer != nil:
		return answer
	}
	return nil
}

// replacePassword writes another password, ends the sessions but one that is kept, and tells of it. Mailed tokens end as
// well: whoever read an old mail must not undo it. The transaction must act as the user.
func (a *App) replacePassword(ctx context.Context, tx *pg.Tx, userID id.ID, hash string, kept id.ID, reason identityv1.SessionRevoked_Reason) error {
	if err := store.ChangePassword(ctx, tx, userID, hash, a.Clock.Now()); err != nil {
		return err
	}
	if err := store.DeletePasswordResets(ctx, tx, userID); err != nil {
		return err
	}
	if err := a.endSessions(ctx, tx, userID, kept, reason); err != nil {
		return err
	}
	return a.passwordChanged(ctx, tx, userID, reason == identityv1.SessionRevoked_PASSWORD_RESET)
}

// hashNew hashes a password that follows the rules; field is how the caller spells it. It must run outside transactions:
// a connection must not wait for a turn to hash.
func (a *App) hashNew(ctx context.Context, field, text string, owner password.Owner) (string, error) {
	if err := a.Rules.Check(ctx, field, text, owner); err != nil {
		return "", err
	}
	return a.Hasher.Hash(ctx, text)
}

func passwordOwnerOf(user domain.User) password.Owner {
	return password.Owner{Name: user.DisplayName, Email: user.Email}
}

// PasswordResetMail derives what the mail of a forgotten password says at this moment. It is not found once the token was
// used or has expired.
func (a *App) PasswordResetMail(ctx context.Context, resetID id.ID) (PasswordResetMail, error) {
	found, err := store.FindResetMail(ctx, a.DB.Point(pg.Scope{}), resetID)
	if err == nil && !a.Clock.Now().Before(found.Reset.ExpiresAt) {
		err = errs.ErrNotFound
	}
	if err != nil {
		return PasswordResetMail{}, err
	}
	mail := PasswordResetMail{Email: found.Reset.Address.Typed, ExpiresAt: found.Reset.ExpiresAt}
	if found.AccountExists {
		mail.Token = token.Mailed(a.Keys, token.ForPasswordReset, resetID, found.Reset.Nonce)
	}
	return mail, nil
}

package app

import (
	"context"
	"errors"
	"time"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/mailaddress"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
	"github.com/braidhq/braid/services/identity/internal/token"
)

// EmailChangeMail is what the two mails of a change of address say.
type EmailChangeMail struct {
	NewEmail, OldEmail string
	// Token is empty when the new address has an account, or the change is over.
	Token string
	// Live says that the change still waits to be made. When it does not, only the old address is told.
	Live      bool
	ExpiresAt time.Time
}

// ResendVerification has another code mailed for what was registered from the same network. It does the same for an
// address that nothing waits for, or that has an account, and the mail will say so.
func (a *App) ResendVerification(ctx context.Context, email string) error {
	address := domain.ParseAddress(email)
	if err := mailaddress.Check("email", address.Typed); err != nil {
		return err
	}
	registration := a.newRegistration(ctx, address)
	return a.DB.InTx(ctx, pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
		allowed, err := a.mayMail(ctx, tx, address)
		if err != nil || !allowed {
			return err
		}
		store.UseAddress(tx, address)
		if err := store.RepeatRegistration(ctx, tx, registration); err != nil {
			return err
		}
		return a.registrationRequested(ctx, tx, registration)
	})
}

// VerifyToken proves an address by a mailed token: that of a registration or that of a change of address.
func (a *App) VerifyToken(ctx context.Context, mailed string) (domain.User, error) {
	var user domain.User
	err := a.DB.InTx(ctx, pg.Scope{}, func(ctx context.Context, tx *pg.Tx) (err error) {
		user, err = a.proveRegistration(ctx, tx, mailed)
		if errors.Is(err, errs.ErrNotFound) {
			user, err = a.makeEmailChange(ctx, tx, mailed)
		}
		return err
	})
	switch {
	case store.IsAddressTaken(err):
		return domain.User{}, domain.ErrEmailTaken
	case errors.Is(err, errs.ErrNotFound):
		return domain.User{}, domain.ErrLinkInvalid
	case err != nil:
		return domain.User{}, err
	}
	return user, nil
}

func (a *App) proveRegistration(ctx context.Context, tx *pg.Tx, mailed string) (domain.User, error) {
	now := a.Clock.Now()
	proven, err := store.ClaimRegistration(ctx, tx, token.HashMailed(token.ForRegistration, mailed))
	if err != nil {
		return domain.User{}, err
	}
	if !now.Before(proven.ExpiresAt) {
		return domain.User{}, domain.ErrCodeExpired
	}
	store.UseAddress(tx, proven.Address)
	user := domain.NewUser(proven.Address.Typed, proven.DisplayName, now)
	return user, a.createUser(actingAs(ctx, user.ID, id.ID{}), tx, user, proven)
}

func (a *App) makeEmailChange(ctx context.Context, tx *pg.Tx, mailed string) (domain.User, error) {
	now := a.Clock.Now()
	change, err := store.ClaimEmailChange(ctx, tx, token.HashMailed(token.ForEmailChange, mailed))
	if err != nil {
		return domain.User{}, err
	}
	if !now.Before(change.ExpiresAt) {
		return domain.User{}, domain.ErrCodeExpired
	}
	ctx = actingAs(ctx, change.UserID, id.ID{})
	store.ActAs(tx, change.UserID)
	user, err := store.MakeEmailChange(ctx, tx, change, now)
	if err != nil {
		return domain.User{}, err
	}
	// What was mailed to the old address must not open the account any more.
	if err := store.DeletePasswordResets(ctx, tx, change.UserID); err != nil {
		return domain.User{}, err
	}
	return user, a.userUpdated(ctx, tx, user)
}

// ChangeEmail notes which address the caller wants to have and has both addresses told. It does the same for an address
// that has an account. A later wish takes the place of an earlier one.
func (a *App) ChangeEmail(ctx context.Context, tx *pg.Tx, newEmail string) error {
	address := domain.ParseAddress(newEmail)
	if err := mailaddress.Check("newEmail", address.Typed); err != nil {
		return err
	}
	now := a.Clock.Now()
	change := domain.EmailChange{
		ID: id.New(), UserID: call.From(ctx).Actor.UserID, Address: address, Nonce: token.NewNonce(),
		CreatedAt: now, ExpiresAt: now.Add(domain.EmailChangeLifetime),
	}
	change.TokenHash = token.HashMailed(token.ForEmailChange, token.Mailed(a.Keys, token.ForEmailChange, change.ID, change.Nonce))
	allowed, err := a.mayMail(ctx, tx, address)
	if err != nil || !allowed {
		return err
	}
	if err := store.CreateEmailChange(ctx, tx, change); err != nil {
		return err
	}
	return a.emailChangeRequested(ctx, tx, change)
}

// EmailChangeMail derives what the mails of a change say at this moment.
func (a *App) EmailChangeMail(ctx context.Context, changeID id.ID) (EmailChangeMail, error) {
	found, err := store.FindEmailChangeMail(ctx, a.DB.Point(pg.Scope{}), changeID)
	if err != nil {
		return EmailChangeMail{}, err
	}
	mail := EmailChangeMail{
		NewEmail: found.Change.Address.Typed, OldEmail: found.OldEmail, ExpiresAt: found.Change.ExpiresAt,
		Live: found.Live && a.Clock.Now().Before(found.Change.ExpiresAt),
	}
	if mail.Live && !found.Taken {
		mail.Token = token.Mailed(a.Keys, token.ForEmailChange, changeID, found.Change.Nonce)
	}
	return mail, nil
}

package app

import (
	"context"
	"time"

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

// RegistrationMail is what the mail of a registration says.
type RegistrationMail struct {
	Email       string
	DisplayName string
	// Code is empty when the address already has an account.
	Code          string
	AccountExists bool
	// Token is what the mail's link holds; empty when there is no code.
	Token string
	// NothingPending says that a code was asked for again and nothing waits for one.
	NothingPending bool
	ExpiresAt      time.Time
}

// Register writes down that someone asked for an account. It does the same for an address that has one, and the mail
// will say so: nobody but the mailbox's owner learns which. An address that no mail reaches is refused by its looks alone.
func (a *App) Register(ctx context.Context, email, text, displayName string) error {
	address := domain.ParseAddress(email)
	if err := mailaddress.Check("email", address.Typed); err != nil {
		return err
	}
	displayName, err := domain.ParseDisplayName(displayName, "displayName")
	if err != nil {
		return err
	}
	// Outside the transaction: a connection must not wait for its turn to hash.
	hash, err := a.hashNew(ctx, "password", text, password.Owner{Name: displayName, Email: address.Typed})
	if err != nil {
		return err
	}
	registration := a.newRegistration(ctx, address)
	registration.DisplayName, registration.PasswordHash = displayName, hash
	return a.DB.InTx(ctx, pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
		allowed, err := a.mayMail(ctx, tx, address)
		if err != nil || !allowed {
			return err
		}
		store.UseAddress(tx, registration.Address)
		if err := store.CreateRegistration(ctx, tx, registration); err != nil {
			return err
		}
		return a.registrationRequested(ctx, tx, registration)
	})
}

// newRegistration is one with a code and a token of its own.
func (a *App) newRegistration(ctx context.Context, address domain.Address) domain.Registration {
	now := a.Clock.Now()
	registration := domain.Registration{
		ID: id.New(), Address: address, Nonce: token.NewNonce(), CreatedAt: now, ExpiresAt: now.Add(domain.CodeLifetime),
		ClientKey: token.ClientKey(a.Keys, domain.NetworkOf(call.From(ctx).ClientAddress)),
	}
	registration.CodeHash = token.HashCode(a.Keys, registration.ID, token.Code(a.Keys, registration.ID, registration.Nonce))
	registration.TokenHash = token.HashMailed(token.ForRegistration,
		token.Mailed(a.Keys, token.ForRegistration, registration.ID, registration.Nonce))
	return registration
}

// VerifyEmail turns the registration that the code belongs to into a user, and ends all others of the address. A wrong
// code is counted although the answer is an error: for the client, and for the address, which all clients guess at together.
func (a *App) VerifyEmail(ctx context.Context, email, code string) (domain.User, error) {
	address := domain.ParseAddress(email)
	met, err := a.meet(ctx, "")
	if err != nil {
		return domain.User{}, err
	}
	var user domain.User
	var answer *errs.Error
	err = a.DB.InTx(ctx, pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
		store.UseAddress(tx, address)
		now := a.Clock.Now()
		pending, err := store.LockPending(ctx, tx, address, now)
		if err != nil {
			return err
		}
		proven, matched := domain.MatchCode(pending, func(registrationID id.ID) []byte {
			return token.HashCode(a.Keys, registrationID, code)
		})
		if answer, err = a.judgeCode(ctx, tx, met, address, pending, matched); err != nil || answer != nil {
			return err
		}
		user = domain.NewUser(proven.Address.Typed, proven.DisplayName, now)
		return a.createUser(actingAs(ctx, user.ID, id.ID{}), tx, user, proven)
	})
	if store.IsAddressTaken(err) {
		// Another registration of the address was proven in the meantime.
		err = domain.ErrCodeInvalid
	}
	if err = settled(err, answer); err != nil {
		return domain.User{}, err
	}
	return user, nil
}

// judgeCode decides what a code is answered with and counts it. The registrations that are pending must be locked.
func (a *App) judgeCode(ctx context.Context, tx *pg.Tx, met guesser, address domain.Address, pending []domain.Registration, right bool) (*errs.Error, error) {
	ofAddress, now := token.BudgetKey(a.Keys, "code", address.Key), a.Clock.Now()
	spent, ends, err := store.FindCodePressure(ctx, tx, ofAddress, now)
	if err != nil {
		return nil, err
	}
	if spent >= domain.CodesToAddress {
		return nil, domain.ErrTooManyCodes.WithRetryAfter(ends.Sub(now))
	}
	own := token.ClientKey(a.Keys, domain.NetworkOf(call.From(ctx).ClientAddress))
	guess := a.atCode(met, address, domain.NewestOf(pending, own))
	guess.Right = right
	judged, answer, err := a.judge(ctx, tx, guess)
	// What is not looked at is no guess: one client can't use up what there is for all.
	if err == nil && judged.Verdict == domain.GuessClosed {
		store.SpendCode(tx, ofAddress, now)
	}
	if answer != nil && !judged.Exhausted {
		// Nobody is told of a lock: a code proves less than a password, and another one is soon asked for.
		answer = domain.ErrCodeInvalid
	}
	return answer, err
}

func (a *App) createUser(ctx context.Context, tx *pg.Tx, user domain.User, proven domain.Registration) error {
	store.ActAs(tx, user.ID)
	if err := store.CreateUser(ctx, tx, user, proven.Address, proven.PasswordHash); err != nil {
		return err
	}
	if err := store.DeletePending(ctx, tx, proven.Address); err != nil {
		return err
	}
	return a.userRegistered(ctx, tx, user)
}

// RegistrationMail derives what a registration's mail says at this moment. It is not found once the registration has
// expired, was proven or made room for others: then there is nothing left to mail.
func (a *App) RegistrationMail(ctx context.Context, registrationID id.ID) (RegistrationMail, error) {
	registration, err := store.FindRegistration(ctx, a.DB.Point(pg.Scope{}), registrationID)
	if err != nil {
		return RegistrationMail{}, err
	}
	if !a.Clock.Now().Before(registration.ExpiresAt) {
		return RegistrationMail{}, errs.ErrNotFound
	}
	mail := RegistrationMail{
		Email: registration.Address.Typed, DisplayName: registration.DisplayName,
		AccountExists: registration.AccountExists, ExpiresAt: registration.ExpiresAt,
	}
	mail.NothingPending = registration.Hollow && !mail.AccountExists
	if !mail.AccountExists && !mail.NothingPending {
		mail.Token = token.Mailed(a.Keys, token.ForRegistration, registration.ID, registration.Nonce)
		mail.Code = token.Code(a.Keys, registration.ID, registration.Nonce)
	}
	return mail, nil
}

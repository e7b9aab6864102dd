package app

import (
	"context"
	"errors"
	"log/slog"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/mailaddress"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/password"
	"github.com/braidhq/braid/services/identity/internal/store"
)

// RegisterInvited makes a user at once: the invitation's token was mailed to the address and proves it. The user joins
// right after, in organization's own transaction; when that can't be asked, the invitation goes on waiting for the user
// to accept it.
func (a *App) RegisterInvited(ctx context.Context, email, text, displayName, invitationToken string) (user domain.User, organizationID string, err error) {
	address := domain.ParseAddress(email)
	if err := mailaddress.Check("email", address.Typed); err != nil {
		return domain.User{}, "", err
	}
	displayName, err = domain.ParseDisplayName(displayName, "displayName")
	if err != nil {
		return domain.User{}, "", err
	}
	invited, organization, err := a.Invitations.Address(ctx, invitationToken)
	if errors.Is(err, errs.ErrNotFound) || err == nil && domain.ParseAddress(invited).Key != address.Key {
		return domain.User{}, "", domain.ErrInvitationInvalid
	}
	if err != nil {
		return domain.User{}, "", err
	}
	hash, err := a.hashNew(ctx, "password", text, password.Owner{Name: displayName, Email: address.Typed, Organization: organization})
	if err != nil {
		return domain.User{}, "", err
	}
	user = domain.NewUser(address.Typed, displayName, a.Clock.Now())
	ctx = actingAs(ctx, user.ID, id.ID{})
	err = a.DB.InTx(ctx, pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
		store.UseAddress(tx, address)
		return a.createUser(ctx, tx, user, domain.Registration{Address: address, PasswordHash: hash})
	})
	if store.IsAddressTaken(err) {
		return domain.User{}, "", domain.ErrEmailTaken.WithMessage("You have an account already: sign in and accept the invitation.")
	}
	if err != nil {
		return domain.User{}, "", err
	}
	organizationID, err = a.Invitations.Join(ctx, invitationToken, user.ID)
	if err != nil {
		a.Logger.WarnContext(ctx, "invited user not joined, the invitation waits", slog.String("user_id", user.ID.String()), slog.String("cause", err.Error()))
	}
	return user, organizationID, nil
}

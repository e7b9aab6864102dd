package app

import (
	"context"

	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// KeepProfile writes what was heard of a person, unless something newer is known. It is kept even of those who are no
// members: one may be joining at this moment, with values that were read before the change.
func (a *App) KeepProfile(ctx context.Context, tx *pg.Tx, person domain.Person) error {
	known, err := store.KnownAddress(ctx, tx, person.UserID)
	if err != nil {
		return err
	}
	if err := store.KeepProfile(ctx, tx, person); err != nil || known == domain.EmailKey(person.Email) {
		return err
	}
	return a.recheckSSO(ctx, tx, person.UserID)
}

package app

import (
	"context"
	"slices"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
)

// ListIdentities returns the caller's links to providers.
func (a *App) ListIdentities(ctx context.Context) (domain.ExternalIdentities, error) {
	return store.ListExternalIdentities(ctx, a.DB.Point(pg.ScopeOf(ctx)), caller(ctx))
}

// FinishIdentity links the person whom a provider has named to the caller. Their address may be another than the user's,
// and need not be verified: the caller has shown both.
func (a *App) FinishIdentity(ctx context.Context, returned Returned) (domain.ExternalIdentity, error) {
	person, err := a.meetPerson(ctx, returned, caller(ctx))
	if err != nil {
		return domain.ExternalIdentity{}, err
	}
	joining, err := a.joiningBy(ctx, &person)
	if err != nil {
		return domain.ExternalIdentity{}, err
	}
	var links domain.ExternalIdentities
	err = a.DB.InTx(ctx, pg.ScopeOf(ctx), func(ctx context.Context, tx *pg.Tx) error {
		user, err := store.GetUser(ctx, tx, caller(ctx))
		if err != nil {
			return err
		}
		if err := a.linkChecked(ctx, tx, user, person, joining); err != nil {
			return err
		}
		links, err = store.ListExternalIdentities(ctx, tx, user.ID)
		return err
	})
	if store.IsIdentityTaken(err) {
		err = domain.ErrIdentityTaken
	}
	if err != nil {
		return domain.ExternalIdentity{}, err
	}
	at := slices.IndexFunc(links, func(link domain.ExternalIdentity) bool {
		return link.Source == person.Source && link.Issuer == person.Issuer && link.Subject == person.Subject
	})
	return links[at], nil
}

// DeleteIdentity removes one of the caller's links.
func (a *App) DeleteIdentity(ctx context.Context, tx *pg.Tx, identityID id.ID) error {
	userID := caller(ctx)
	factors, err := store.LockFactors(ctx, tx, userID)
	if err != nil {
		return err
	}
	links, err := store.ListExternalIdentities(ctx, tx, userID)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(links, func(link domain.ExternalIdentity) bool { return link.ID == identityID })
	if at < 0 {
		return errs.ErrNotFound
	}
	hasPassword, err := store.HasPassword(ctx, tx, userID)
	if err != nil {
		return err
	}
	if err := links.CheckRemoval(hasPassword, factors); err != nil {
		return err
	}
	if err := store.DeleteExternalIdentity(ctx, tx, links[at]); err != nil {
		return err
	}
	return a.identityUnlinked(ctx, tx, links[at])
}

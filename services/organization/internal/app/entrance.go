package app

import (
	"context"
	"time"

	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// checkEntrance refuses the caller, about to become a member, from an address or by a login with which the organization's
// policy would refuse them right after. A second factor and the login's age are asked for once they are in: who enrolls a
// factor, or signs in again, stays the same person.
func (a *App) checkEntrance(ctx context.Context, tx *pg.Tx, policy domain.Policy, organizationID id.ID, person domain.Person) error {
	asked, err := authz.PolicyOf(EncodePolicy(policy))
	if err != nil {
		return err
	}
	connectionID, err := store.RequiredConnection(ctx, tx, organizationID, domain.DomainOf(person.Email))
	if err != nil {
		return err
	}
	work := call.From(ctx)
	return asked.Requiring(connectionID).CheckEntrance(&authz.Caller{Actor: work.Actor, Address: work.ClientAddress})
}

// checkRemoved refuses one who was taken out of the organization, and comes back by what nobody gave to them since: zero
// when it is given to nobody in particular.
func (a *App) checkRemoved(ctx context.Context, tx *pg.Tx, organizationID, userID id.ID, given time.Time) error {
	removed, err := store.RemovedAt(ctx, tx, organizationID, userID)
	if err == nil && !removed.IsZero() && !given.After(removed) {
		err = domain.ErrMemberRemoved
	}
	return err
}

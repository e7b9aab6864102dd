package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/braidhq/braid/platform/erasure"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/person"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// ListSoleOwnerships returns the organizations that would be without an owner if a user went. It is for other services: the
// user comes from them.
func (a *App) ListSoleOwnerships(ctx context.Context, userID id.ID) ([]id.ID, error) {
	return store.SoleOwnerships(ctx, a.DB.WorkerRead(), userID, domain.Active, domain.Suspended)
}

// Leaving is what the service has to say about the erasure of people, besides which columns name them.
func (a *App) Leaving(columns []person.Column) erasure.OwnPeople {
	return erasure.OwnPeople{
		Columns: columns,
		Refuse:  refuseSoleOwner,
		Sweeps: []erasure.Sweep{
			{Name: "member", Erase: func(ctx context.Context, tx *pg.Tx, userID id.ID, _ string, _ int) (string, int64, error) {
				return a.leaveNext(ctx, tx, userID)
			}},
			{Name: "invitation", Erase: eraseInvitations},
		},
	}
}

// refuseSoleOwner says why a user can't be let go now. When it says nothing the answer is kept with the lock on all their
// organizations, and from then on no other owner can leave: the user does not count (is_leaving). An organization that may
// still be restored from its own deletion needs its owner as well.
func refuseSoleOwner(ctx context.Context, tx *pg.Tx, userID id.ID) (string, error) {
	if err := store.LockOrganizationsOf(ctx, tx, userID); err != nil {
		return "", err
	}
	alone, err := store.SoleOwnerships(ctx, tx, userID, domain.Active, domain.Suspended, domain.DeletionPending)
	if err != nil || len(alone) == 0 {
		return "", err
	}
	return fmt.Sprintf("You have become the only owner of organizations (%d).", len(alone)), nil
}

// leaveNext takes a user out of one organization, with all that they have there, and tells of it as of any removal.
func (a *App) leaveNext(ctx context.Context, tx *pg.Tx, userID id.ID) (next string, erased int64, err error) {
	organizationID, err := store.NextMembership(ctx, tx, userID)
	if errors.Is(err, errs.ErrNotFound) {
		return "", 0, nil
	}
	if err != nil {
		return "", 0, err
	}
	revision, err := store.RaiseAccess(ctx, tx, organizationID)
	if err != nil {
		return "", 0, err
	}
	if err := a.removeAssignments(ctx, tx, organizationID, userID, revision); err != nil {
		return "", 0, err
	}
	if err := store.EraseMember(ctx, tx, organizationID, userID); err != nil {
		return "", 0, err
	}
	tx.AfterCommit(func() { a.DropAccess(organizationID, userID) })
	removed := domain.Membership{OrganizationID: organizationID, Person: domain.Person{UserID: userID}}
	return "more", 1, a.tellMemberRemoved(ctx, tx, removed)
}

func eraseInvitations(ctx context.Context, tx *pg.Tx, userID id.ID, _ string, atMost int) (next string, erased int64, err error) {
	erased, err = store.EraseInvitations(ctx, tx, userID, atMost)
	if erased > 0 {
		next = "more"
	}
	return next, erased, err
}

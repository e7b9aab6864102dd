package app

import (
	"context"
	"errors"
	"slices"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// provisioned are the roles that an organization's connection may give: what gives more is given by a person.
var provisioned = []string{"member", "viewer"}

// ProvisionMember makes somebody a member who signed in by the organization's own provider. Who is a member keeps their
// roles, and an organization that is gone has no members. It is for the worker role.
func (a *App) ProvisionMember(ctx context.Context, tx *pg.Tx, organizationID id.ID, roleID string, person domain.Person) error {
	if !slices.Contains(provisioned, roleID) {
		return errs.Invalid("roleId", "in", "is no role that a connection may give")
	}
	// The organization's row is locked first: of two who add the same person the second finds the first.
	revision, err := store.RaiseAccess(ctx, tx, organizationID)
	if errors.Is(err, errs.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	member := domain.Membership{
		OrganizationID: organizationID, Person: person, RoleIDs: []string{roleID}, JoinedAt: a.Clock.Now(), Revision: 1,
		AccessRevision: revision,
	}
	if added, err := store.ProvisionMember(ctx, tx, member); err != nil || !added {
		return err
	}
	tx.AfterCommit(func() { a.DropAccess(organizationID, person.UserID) })
	return a.tellMemberAdded(ctx, tx, member)
}

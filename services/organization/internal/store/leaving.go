package store

import (
	"context"
	"fmt"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store/db"
)

// LockOrganizationsOf keeps the members of all organizations that a user is in as they are until the transaction ends. It is
// for the worker role, as all that follows.
func LockOrganizationsOf(ctx context.Context, tx *pg.Tx, userID id.ID) error {
	if err := db.New(tx).LockOrganizationsOf(ctx, userID); err != nil {
		return fmt.Errorf("lock organizations: %w", err)
	}
	return nil
}

// SoleOwnerships returns the organizations in one of the states that have no other owner to count on; the first hundred.
func SoleOwnerships(ctx context.Context, querier pg.Querier, userID id.ID, states ...domain.OrganizationState) ([]id.ID, error) {
	names := make([]string, 0, len(states))
	for _, state := range states {
		names = append(names, string(state))
	}
	found, err := db.New(querier).ListSoleOwnerships(ctx, userID, names)
	if err != nil {
		return nil, fmt.Errorf("read sole ownerships: %w", err)
	}
	return found, nil
}

// NextMembership returns an organization that a user is in; ErrNotFound when there is none.
func NextMembership(ctx context.Context, tx *pg.Tx, userID id.ID) (id.ID, error) {
	organizationID, err := db.New(tx).NextMembership(ctx, userID)
	return organizationID, one("read membership", err)
}

// EraseMember takes a user who is erased out of an organization.
func EraseMember(ctx context.Context, tx *pg.Tx, organizationID, userID id.ID) error {
	if err := db.New(tx).EraseMember(ctx, organizationID, userID); err != nil {
		return fmt.Errorf("erase member: %w", err)
	}
	return nil
}

// EraseInvitations removes invitations to the address of a user who is erased, at most so many, and returns how many.
func EraseInvitations(ctx context.Context, tx *pg.Tx, userID id.ID, atMost int) (int64, error) {
	erased, err := db.New(tx).EraseInvitations(ctx, userID, int32(atMost)) //nolint:gosec // It is a few thousand.
	if err != nil {
		return 0, fmt.Errorf("erase invitations: %w", err)
	}
	return erased, nil
}

package store

import (
	"context"
	"fmt"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/store/db"
)

// KeepSSORequirement writes that an organization's connection is required, and reports whether it was not before. It is for
// the worker role, as the two below.
func KeepSSORequirement(ctx context.Context, tx *pg.Tx, organizationID, connectionID id.ID) (bool, error) {
	written, err := db.New(tx).KeepSsoRequirement(ctx, organizationID, connectionID)
	if err != nil {
		return false, fmt.Errorf("keep required connection: %w", err)
	}
	return written > 0, nil
}

// DropSSORequirement forgets that a connection was required, and reports whether it was.
func DropSSORequirement(ctx context.Context, tx *pg.Tx, organizationID, connectionID id.ID) (bool, error) {
	deleted, err := db.New(tx).DropSsoRequirement(ctx, organizationID, connectionID)
	if err != nil {
		return false, fmt.Errorf("drop required connection: %w", err)
	}
	return deleted > 0, nil
}

// FindOwners returns at most so many active owners of an organization. It is for the worker role; see ActiveOwners.
func FindOwners(ctx context.Context, tx *pg.Tx, organizationID id.ID, atMost int) ([]id.ID, error) {
	found, err := db.New(tx).FindOwners(ctx, organizationID, int32(atMost))
	if err != nil {
		return nil, fmt.Errorf("find owners: %w", err)
	}
	return found, nil
}

// FindRequiring returns the organizations with a required connection that a person is a member of.
func FindRequiring(ctx context.Context, tx *pg.Tx, userID id.ID) ([]id.ID, error) {
	found, err := db.New(tx).FindRequiring(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("find organizations with a required connection: %w", err)
	}
	return found, nil
}

// SSORequirement returns the connection that an organization requires, zero for none.
func SSORequirement(ctx context.Context, tx *pg.Tx, organizationID id.ID) (id.ID, error) {
	found, err := db.New(tx).GetSsoRequirement(ctx, organizationID)
	_, err = absent("read required connection", err)
	return found, err
}

// RequiredConnection returns the connection that an organization requires of people with an address in a domain, zero for
// none.
func RequiredConnection(ctx context.Context, tx *pg.Tx, organizationID id.ID, domainName string) (id.ID, error) {
	found, err := db.New(tx).GetRequiredConnection(ctx, organizationID, domainName)
	_, err = absent("read required connection", err)
	return found, err
}

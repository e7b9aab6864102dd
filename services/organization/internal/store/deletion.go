package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/braidhq/braid/platform/deletion"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store/db"
)

// ShareOrganizationState returns an organization's state, which stays so until the transaction ends. One that is not there
// is being deleted.
func ShareOrganizationState(ctx context.Context, tx *pg.Tx, organizationID id.ID) (domain.OrganizationState, error) {
	state, err := db.New(tx).ShareOrganizationState(ctx, organizationID)
	return stateFound(state, err)
}

func stateFound(state string, err error) (domain.OrganizationState, error) {
	switch {
	case errors.Is(err, pg.ErrNoRows):
		return domain.Deleting, nil
	case err != nil:
		return "", fmt.Errorf("read organization's state: %w", err)
	}
	return domain.OrganizationState(state), nil
}

// SetOrganizationState writes an organization's state, with the transaction's next statement.
func SetOrganizationState(ctx context.Context, tx *pg.Tx, organizationID id.ID, state domain.OrganizationState, now time.Time) error {
	return queue(tx).SetOrganizationState(ctx, organizationID, string(state), now)
}

// SetSuspension is SetOrganizationState with the reason of a suspension.
func SetSuspension(ctx context.Context, tx *pg.Tx, organizationID id.ID, state domain.OrganizationState, reason string, now time.Time) error {
	return queue(tx).SetSuspension(ctx, organizationID, string(state), reason, now)
}

// Owners returns the users who are owners.
func Owners(ctx context.Context, tx *pg.Tx, organizationID id.ID) ([]id.ID, error) {
	owners, err := db.New(tx).ListOwners(ctx, organizationID)
	if err != nil {
		return nil, fmt.Errorf("read owners: %w", err)
	}
	return owners, nil
}

// Deletion is one try to delete an organization.
type Deletion struct {
	deletion.Deletion
	RequesterID id.ID
	// ReaderIDs are the owners when it was asked for; they are written and not read.
	ReaderIDs []id.ID
	// PreviousState is the organization's, if it stays.
	PreviousState domain.OrganizationState
}

// ReplaceDeletion writes a new deletion in the place of an earlier one, with the transaction's next statement.
func ReplaceDeletion(ctx context.Context, tx *pg.Tx, replacing Deletion) error {
	if err := queue(tx).DeleteSteps(ctx, replacing.SubjectID); err != nil {
		return err
	}
	return queue(tx).ReplaceDeletion(ctx, db.ReplaceDeletionParams{
		ID: replacing.SubjectID, AttemptID: replacing.AttemptID, RequesterID: replacing.RequesterID, ReaderIds: replacing.ReaderIDs,
		PreviousState: string(replacing.PreviousState), RequestedAt: replacing.RequestedAt, StartedAt: replacing.StartedAt,
	})
}

// GetDeletion returns the latest deletion of an organization.
func GetDeletion(ctx context.Context, querier pg.Querier, organizationID id.ID) (Deletion, error) {
	found, err := deletion.Get(ctx, querier, organizationID)
	if err != nil {
		return Deletion{}, err
	}
	return ownDeletion(ctx, querier, found)
}

// LockDeletion is GetDeletion with the row locked until the transaction ends.
func LockDeletion(ctx context.Context, tx *pg.Tx, organizationID id.ID) (Deletion, error) {
	found, err := deletion.Lock(ctx, tx, organizationID)
	if err != nil {
		return Deletion{}, err
	}
	return ownDeletion(ctx, tx, found)
}

func ownDeletion(ctx context.Context, querier pg.Querier, found deletion.Deletion) (Deletion, error) {
	row, err := db.New(querier).GetOwnDeletion(ctx, found.SubjectID)
	if err != nil {
		return Deletion{}, one("read deletion", err)
	}
	return Deletion{Deletion: found, RequesterID: row.RequesterID, PreviousState: domain.OrganizationState(row.PreviousState)}, nil
}

// DeleteOrganization removes an organization's own row, when all that refers to it is gone.
func DeleteOrganization(ctx context.Context, tx *pg.Tx, organizationID id.ID) error {
	if err := db.New(tx).DeleteOrganization(ctx, organizationID); err != nil {
		return fmt.Errorf("delete organization: %w", err)
	}
	return nil
}

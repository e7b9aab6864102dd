package store

import (
	"context"
	"errors"
	"fmt"
	"time"

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

// ReplaceDeletion writes a new deletion in the place of an earlier one, with the transaction's next statement.
func ReplaceDeletion(ctx context.Context, tx *pg.Tx, deletion domain.Deletion) error {
	if err := queue(tx).DeleteSteps(ctx, deletion.OrganizationID); err != nil {
		return err
	}
	return queue(tx).ReplaceDeletion(ctx, db.ReplaceDeletionParams{
		ID: deletion.OrganizationID, AttemptID: deletion.AttemptID, RequesterID: deletion.RequesterID, ReaderIds: deletion.ReaderIDs,
		PreviousState: string(deletion.PreviousState), RequestedAt: deletion.RequestedAt, StartedAt: deletion.StartedAt,
	})
}

// GetDeletion returns the latest deletion of an organization.
func GetDeletion(ctx context.Context, querier pg.Querier, organizationID id.ID) (domain.Deletion, error) {
	row, err := db.New(querier).GetDeletion(ctx, organizationID)
	if err != nil {
		return domain.Deletion{}, one("read deletion", err)
	}
	return withSteps(ctx, querier, row)
}

// LockDeletion is GetDeletion with the row locked until the transaction ends.
func LockDeletion(ctx context.Context, tx *pg.Tx, organizationID id.ID) (domain.Deletion, error) {
	row, err := db.New(tx).GetDeletionForUpdate(ctx, organizationID)
	if err != nil {
		return domain.Deletion{}, one("lock deletion", err)
	}
	return withSteps(ctx, tx, row)
}

// NextDeletion locks the deletion whose grace has been over for the longest time and that is not at its end, but for those
// already seen and those that somebody else is at; without one it is ErrNotFound.
func NextDeletion(ctx context.Context, tx *pg.Tx, now time.Time, seen []id.ID) (domain.Deletion, error) {
	row, err := db.New(tx).NextDeletion(ctx, now, seen)
	if err != nil {
		return domain.Deletion{}, one("read next deletion", err)
	}
	return withSteps(ctx, tx, row)
}

func withSteps(ctx context.Context, querier pg.Querier, row db.Deletion) (domain.Deletion, error) {
	deletion := domain.Deletion{
		OrganizationID: row.ID, AttemptID: row.AttemptID, State: domain.DeletionState(row.State), RequesterID: row.RequesterID,
		ReaderIDs: row.ReaderIds, PreviousState: domain.OrganizationState(row.PreviousState), RequestedAt: row.RequestedAt,
		StartedAt: row.StartedAt, ErasingAt: row.ErasingAt, EndedAt: row.EndedAt, FailureReason: row.FailureReason,
	}
	rows, err := db.New(querier).ListSteps(ctx, row.ID)
	if err != nil {
		return domain.Deletion{}, fmt.Errorf("read steps: %w", err)
	}
	for _, row := range rows {
		deletion.Steps = append(deletion.Steps, domain.DeletionStep{
			Service: row.Service, State: domain.StepState(row.State), Attempts: int(row.Attempts), AskedAt: row.AskedAt,
			AnsweredAt: row.AnsweredAt, Failures: int(row.Failures), LastError: row.LastError, ErasedRows: row.ErasedRows,
		})
	}
	return deletion, nil
}

// SetDeletionState writes how far a deletion is, with the transaction's next statement.
func SetDeletionState(ctx context.Context, tx *pg.Tx, deletion domain.Deletion) error {
	return queue(tx).SetDeletionState(ctx, db.SetDeletionStateParams{
		ID: deletion.OrganizationID, State: string(deletion.State), ErasingAt: deletion.ErasingAt, EndedAt: deletion.EndedAt,
		FailureReason: deletion.FailureReason,
	})
}

// AskStep notes that a service is asked for a state, with the transaction's next statement.
func AskStep(ctx context.Context, tx *pg.Tx, organizationID id.ID, service string, state domain.StepState, now time.Time) error {
	return queue(tx).AskStep(ctx, organizationID, service, string(state), now)
}

// AnswerStep writes what a service has answered, with the transaction's next statement.
func AnswerStep(ctx context.Context, tx *pg.Tx, organizationID id.ID, step domain.DeletionStep) error {
	return queue(tx).AnswerStep(ctx, db.AnswerStepParams{
		DeletionID: organizationID, Service: step.Service, State: string(step.State), AnsweredAt: step.AnsweredAt,
		LastError: step.LastError, ErasedRows: step.ErasedRows,
	})
}

// DelayStep writes how often a service has failed to erase, with the transaction's next statement. Fewer than it has told
// before are an event that came late.
func DelayStep(ctx context.Context, tx *pg.Tx, organizationID id.ID, service string, failures int, reason string) error {
	return queue(tx).DelayStep(ctx, int32(failures), reason, organizationID, service) //nolint:gosec // It came as an int32.
}

// DeleteOrganization removes an organization's own row, when all that refers to it is gone.
func DeleteOrganization(ctx context.Context, tx *pg.Tx, organizationID id.ID) error {
	if err := db.New(tx).DeleteOrganization(ctx, organizationID); err != nil {
		return fmt.Errorf("delete organization: %w", err)
	}
	return nil
}

// LongestWaits returns, by service, since when it has owed an answer.
func LongestWaits(ctx context.Context, querier pg.Querier) (map[string]time.Time, error) {
	rows, err := db.New(querier).LongestWaits(ctx)
	if err != nil {
		return nil, fmt.Errorf("read unanswered steps: %w", err)
	}
	waits := map[string]time.Time{}
	for _, row := range rows {
		waits[row.Service] = row.AskedAt
	}
	return waits, nil
}

package app

import (
	"context"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/deletion"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// EnterDeletion does what a step of an organization's deletion means for the organization, and tells of it.
func (a *App) EnterDeletion(ctx context.Context, tx *pg.Tx, step deletion.Deletion, move deletion.Move) error {
	now := a.Clock.Now()
	if move.Enters {
		switch move.State {
		case deletion.Erasing:
			if err := store.SetOrganizationState(ctx, tx, step.SubjectID, domain.Deleting, now); err != nil {
				return err
			}
		case deletion.Failed:
			failed, err := store.GetDeletion(ctx, tx, step.SubjectID)
			if err != nil {
				return err
			}
			if err := store.SetOrganizationState(ctx, tx, step.SubjectID, failed.PreviousState, now); err != nil {
				return err
			}
		case deletion.Deleted:
			if err := store.DeleteOrganization(ctx, tx, step.SubjectID); err != nil {
				return err
			}
		}
	}
	return a.tellLifecycle(ctx, tx, step.SubjectID, factOf(step, move))
}

// factOf is what is told of a step.
func factOf(step deletion.Deletion, move deletion.Move) lifecycleFact {
	organizationID, attemptID := step.SubjectID.String(), step.AttemptID.String()
	switch move.State {
	case deletion.Erasing:
		return &organizationv1.OrganizationErasureStarted{OrganizationId: organizationID, AttemptId: attemptID}
	case deletion.Failed:
		return &organizationv1.OrganizationDeletionFailed{
			OrganizationId: organizationID, AttemptId: attemptID, Service: move.Refused.Service, Reason: move.Refused.LastError,
		}
	case deletion.Deleted:
		return &organizationv1.OrganizationDeleted{OrganizationId: organizationID, AttemptId: attemptID, ErasedRows: step.ErasedRows()}
	default:
		return &organizationv1.OrganizationDeletionStarted{OrganizationId: organizationID, AttemptId: attemptID}
	}
}

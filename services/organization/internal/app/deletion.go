package app

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/deletion"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// SuspendOrganization leaves an organization to be read only. It is for other services: the organization comes from them.
func (a *App) SuspendOrganization(ctx context.Context, tx *pg.Tx, organizationID id.ID, reason string) error {
	return a.suspend(ctx, tx, organizationID, domain.Suspended, reason, &organizationv1.OrganizationSuspended{
		OrganizationId: organizationID.String(), Reason: reason,
	})
}

// ResumeOrganization ends a suspension; without one it does nothing.
func (a *App) ResumeOrganization(ctx context.Context, tx *pg.Tx, organizationID id.ID) error {
	return a.suspend(ctx, tx, organizationID, domain.Active, "", &organizationv1.OrganizationResumed{OrganizationId: organizationID.String()})
}

func (a *App) suspend(ctx context.Context, tx *pg.Tx, organizationID id.ID, state domain.OrganizationState, reason string, fact lifecycleFact) error {
	if err := store.EnterOrganization(ctx, tx, organizationID); err != nil {
		return err
	}
	current, err := store.LockOrganization(ctx, tx, organizationID)
	if err != nil {
		return err
	}
	switch {
	case current.State == domain.DeletionPending || current.State == domain.Deleting:
		return domain.ErrDeletionPending
	case current.State == state && current.SuspensionReason == reason:
		return nil
	}
	if err := store.SetSuspension(ctx, tx, organizationID, state, reason, a.Clock.Now()); err != nil {
		return err
	}
	return a.tellLifecycle(ctx, tx, organizationID, fact)
}

// requireActive refuses work in an organization that can't be changed; it stays so until the transaction ends. The chain
// asks for every RPC of an organization; this is for those that find theirs on the way.
func (a *App) requireActive(ctx context.Context, tx *pg.Tx, organizationID id.ID) error {
	state, err := store.ShareOrganizationState(ctx, tx, organizationID)
	if err != nil {
		return err
	}
	if frozen := state.Frozen(); frozen != nil {
		return frozen
	}
	return nil
}

// Deletion is one try to delete an organization.
type Deletion = store.Deletion

// DeleteOrganization asks for an organization's deletion, which begins when the grace is over.
func (a *App) DeleteOrganization(ctx context.Context, tx *pg.Tx, organizationID id.ID, name string) (Deletion, error) {
	// The deletion is locked before the organization, as the saga does.
	if _, err := store.LockDeletion(ctx, tx, organizationID); err != nil && !errors.Is(err, errs.ErrNotFound) {
		return Deletion{}, err
	}
	current, err := store.LockOrganization(ctx, tx, organizationID)
	if err != nil {
		return Deletion{}, err
	}
	switch {
	case current.State == domain.DeletionPending || current.State == domain.Deleting:
		return Deletion{}, domain.ErrDeletionPending
	case strings.TrimSpace(name) != current.DisplayName:
		return Deletion{}, domain.ErrNameMismatch
	}
	owners, err := store.Owners(ctx, tx, organizationID)
	if err != nil {
		return Deletion{}, err
	}
	now := a.Clock.Now()
	requested := Deletion{
		Deletion: deletion.Deletion{
			SubjectID: organizationID, AttemptID: id.New(), State: deletion.AwaitingStart, RequestedAt: now, StartedAt: now.Add(a.DeletionGrace),
		},
		RequesterID: call.From(ctx).Actor.UserID, ReaderIDs: owners, PreviousState: current.State,
	}
	if err := store.ReplaceDeletion(ctx, tx, requested); err != nil {
		return Deletion{}, err
	}
	if err := store.SetOrganizationState(ctx, tx, organizationID, domain.DeletionPending, now); err != nil {
		return Deletion{}, err
	}
	told, err := a.toldOwners(ctx, tx, organizationID)
	if err != nil {
		return Deletion{}, err
	}
	return requested, a.tellLifecycle(ctx, tx, organizationID, &organizationv1.OrganizationDeletionRequested{
		OrganizationId: organizationID.String(), AttemptId: requested.AttemptID.String(), RequesterId: requested.RequesterID.String(),
		StartTime: timestamppb.New(requested.StartedAt), OwnerIds: told,
	})
}

// CancelDeletion calls a deletion off whose grace is not over.
func (a *App) CancelDeletion(ctx context.Context, tx *pg.Tx, organizationID id.ID) (Deletion, error) {
	cancelled, err := store.LockDeletion(ctx, tx, organizationID)
	switch {
	case errors.Is(err, errs.ErrNotFound):
		return Deletion{}, domain.ErrDeletionNotPending
	case err != nil:
		return Deletion{}, err
	}
	switch cancelled.State {
	case deletion.AwaitingStart:
	case deletion.Preparing, deletion.Erasing, deletion.Deleted:
		return Deletion{}, domain.ErrDeletionBegun
	default:
		return Deletion{}, domain.ErrDeletionNotPending
	}
	now := a.Clock.Now()
	cancelled.State, cancelled.EndedAt = deletion.Cancelled, &now
	deletion.SetState(tx, cancelled.Deletion)
	if err := store.SetOrganizationState(ctx, tx, organizationID, cancelled.PreviousState, now); err != nil {
		return Deletion{}, err
	}
	told, err := a.toldOwners(ctx, tx, organizationID)
	if err != nil {
		return Deletion{}, err
	}
	return cancelled, a.tellLifecycle(ctx, tx, organizationID, &organizationv1.OrganizationDeletionCancelled{
		OrganizationId: organizationID.String(), AttemptId: cancelled.AttemptID.String(), OwnerIds: told,
	})
}

// GetDeletion returns the latest deletion of an organization to those who were its owners when it was asked for. Other
// members are told that it is not for them, as long as there are any.
func (a *App) GetDeletion(ctx context.Context, organizationID id.ID) (Deletion, error) {
	userID := call.From(ctx).Actor.UserID
	found, err := store.GetDeletion(ctx, a.DB.Read(pg.Scope{UserID: userID}), organizationID)
	if !errors.Is(err, errs.ErrNotFound) {
		return found, err
	}
	if err := a.Authorize(ctx, organizationID, userID, deletePermission); err != nil {
		return Deletion{}, err
	}
	return Deletion{}, errs.ErrNotFound
}

// deletePermission is the contract's name of what an owner needs.
const deletePermission = "organization.organization.delete"

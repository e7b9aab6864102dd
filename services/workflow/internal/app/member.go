package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/store"
)

const (
	// unassignBatch is how many of a former member's tasks are read at once, maxUnassignBatches how often in one
	// transaction.
	unassignBatch      = 200
	maxUnassignBatches = 100
)

// errTooManyTasks can't happen to people; it bounds the loop.
var errTooManyTasks = errors.New("the user has more open tasks than one transaction may take away")

// AddMember notes that a user became a member, and may have tasks again. It runs under the worker role.
func (a *App) AddMember(ctx context.Context, tx *pg.Tx, organizationID, userID id.ID, at time.Time) error {
	return store.SaveAddition(ctx, tx, organizationID, userID, at)
}

// RemoveMember notes that a user has left, and takes the user's open tasks away, in archived projects too: an assignee
// is a member, whatever the project's state. What is finished stays as it was. From then on the user is given none:
// those who asked before the removal whether the user is a member have either committed, or see here that it is over.
// It runs under the worker role. A removal that is older than a return changes nothing.
func (a *App) RemoveMember(ctx context.Context, tx *pg.Tx, organizationID, userID id.ID, at time.Time) error {
	news, err := store.SaveRemoval(ctx, tx, organizationID, userID, at)
	if err != nil || !news {
		return err
	}
	for range maxUnassignBatches {
		taskIDs, err := store.ListOpenTasksOf(ctx, tx, organizationID, userID, unassignBatch)
		if err != nil {
			return err
		}
		for _, taskID := range taskIDs {
			if err := a.unassign(ctx, tx, organizationID, taskID, userID); err != nil {
				return fmt.Errorf("unassign task %s: %w", taskID, err)
			}
		}
		if len(taskIDs) < unassignBatch {
			return nil
		}
	}
	return errTooManyTasks
}

// unassign looks again once the task is locked: it may have been moved, given away or deleted meanwhile.
func (a *App) unassign(ctx context.Context, tx *pg.Tx, organizationID, taskID, userID id.ID) error {
	project, task, err := store.LockTask(ctx, tx, organizationID, taskID)
	if errors.Is(err, errs.ErrNotFound) {
		return nil
	}
	if err != nil || task.AssigneeID != userID || !task.Status.Open() {
		return err
	}
	now := a.clock.Now()
	task.Assign(id.ID{}, now)
	task.Revision = project.NextRevision()
	if err := store.SaveAssignee(ctx, tx, project, task); err != nil {
		return err
	}
	return a.record(ctx, tx, project, taskAssigned(task, userID), now)
}

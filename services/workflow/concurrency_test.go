package workflow

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/domain"
)

// Whatever people do at once in a project, each change has a revision of its own, and nothing waits in a circle.
func TestMixedChangesAtOnce(t *testing.T) {
	t.Parallel()
	const workers, each = 12, 25
	f := newFixture(t)
	projectID := id.MustParse(f.project("WEB"))
	f.create(f.process, projectID, 6)
	taskIDs := make([]id.ID, 0, 6)
	tasks, _, err := f.cases.ListTasks(f.as(f.memberID), projectID, listRequest)
	require.NoError(t, err)
	for _, task := range tasks {
		taskIDs = append(taskIDs, task.ID)
	}
	var working sync.WaitGroup
	for worker := range workers {
		working.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 11))
			for range each {
				taskID := taskIDs[random.IntN(len(taskIDs))]
				kind, rollBack := random.IntN(6), random.IntN(5) == 0
				err := f.inTx(f.memberID, func(ctx context.Context, tx *pg.Tx) error {
					if err := f.change(ctx, tx, kind, projectID, taskID, random.Int()); err != nil {
						return err
					}
					if rollBack {
						return errChangedMind
					}
					return nil
				})
				if err != nil && !errors.Is(err, errChangedMind) && !errors.Is(err, domain.ErrTransitionNotAllowed) && !errors.Is(err, errs.ErrNotFound) {
					t.Errorf("change %d: %v", kind, err)
				}
			}
		})
	}
	working.Wait()
	f.requireRevisions(projectID, f.count(`select count(*) from project_change`))
	require.Equal(t, f.count(`select count(*) from project_change`)+1, len(f.events()), "one event each, and the project's creation")
	require.Zero(t, f.count(`select count(*) from task join project on project.id = project_id where task.revision > project.revision`))
	retries, err := testutil.GatherAndCount(f.pg.Registry, "braid_pg_transaction_retries_total")
	require.NoError(t, err)
	require.Zero(t, retries, "no transaction was run again: locks are taken in one order")
}

// change makes one change of some kind, as a use case does.
func (f *fixture) change(ctx context.Context, tx *pg.Tx, kind int, projectID, taskID id.ID, number int) (err error) {
	switch kind {
	case 0:
		_, err = f.cases.CreateTask(ctx, tx, projectID, domain.TaskDraft{TaskContent: domain.TaskContent{Title: fmt.Sprint(number)}})
	case 1:
		title := fmt.Sprint(number)
		_, err = f.cases.UpdateTask(ctx, tx, taskID, updateOf(title, id.New()))
	case 2:
		_, err = f.cases.TransitionTask(ctx, tx, taskID, []domain.Status{domain.Todo, domain.InProgress, domain.Cancelled}[number%3], "")
	case 3:
		_, err = f.cases.CreateComment(ctx, tx, taskID, fmt.Sprint(number))
	case 4:
		_, err = f.cases.AssignTask(ctx, tx, taskID, id.New(), "")
	default:
		if number%4 == 0 {
			err = f.cases.DeleteTask(ctx, tx, taskID, "")
		}
	}
	return err
}

// Everybody who comments at the same time is told of in the last comment's event.
func TestNobodyIsMissedAmongCommentersAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	taskID := id.MustParse(f.task(f.project("WEB"), map[string]any{})["id"].(string))
	wanted := []string{f.memberID.String()}
	var commenting sync.WaitGroup
	for range 16 {
		userID := id.New()
		wanted = append(wanted, userID.String())
		commenting.Go(func() {
			if err := f.inTx(userID, func(ctx context.Context, tx *pg.Tx) error {
				_, err := f.cases.CreateComment(ctx, tx, taskID, "Me too")
				return err
			}); err != nil {
				t.Error(err)
			}
		})
	}
	commenting.Wait()
	slices.Sort(wanted)
	event := &workflowv1.TaskCommented{}
	f.lastEvent("workflow.task.commented", event)
	require.Equal(t, wanted, event.GetParticipantIds())
}

package workflow

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/api"
	"github.com/braidhq/braid/services/workflow/internal/domain"
)

// numbering is one organization whose people make tasks at the same time, and what they were told.
type numbering struct {
	*fixture
	handlers       *api.Tasks
	organizationID id.ID
	projects       []id.ID

	mu sync.Mutex
	// told are the numbers of acknowledged tasks, cut counts creates whose caller left.
	told map[string]int32
	cut  int
}

// step is one thing that a creator does.
type step struct {
	kind    string
	project int
	// after is when the caller of a cut create leaves.
	after time.Duration
}

func (n *numbering) context() context.Context {
	return call.With(n.t.Context(), &call.Call{
		Procedure: "/braid.workflow.v1.TaskService/CreateTask", OrganizationID: n.organizationID, CorrelationID: "test",
		Actor: call.Actor{Kind: call.User, UserID: n.memberID},
	})
}

func (n *numbering) inTx(work func(ctx context.Context, tx *pg.Tx) error) error {
	ctx := n.context()
	return n.database.InTx(ctx, pg.ScopeOf(ctx), work)
}

// perform does a step. mine is the creator's newest task that is still there.
func (n *numbering) perform(step step, mine *id.ID) error {
	projectID := n.projects[step.project]
	switch step.kind {
	case "create", "cut":
		ctx, leave := context.WithCancel(n.context())
		defer leave()
		if step.kind == "cut" {
			defer time.AfterFunc(step.after, leave).Stop()
		}
		task, err := n.handlers.CreateTask(ctx, &workflowv1.CreateTaskRequest{ProjectId: projectID.String(), Title: step.kind})
		return n.note(task, err, step.kind, mine)
	case "change of mind":
		return n.inTx(func(ctx context.Context, tx *pg.Tx) error {
			if _, err := n.cases.CreateTask(ctx, tx, projectID, domain.TaskDraft{TaskContent: domain.TaskContent{Title: step.kind}}); err != nil {
				return err
			}
			return errChangedMind
		})
	case "delete":
		if mine.IsZero() {
			return nil
		}
		err := n.inTx(func(ctx context.Context, tx *pg.Tx) error { return n.cases.DeleteTask(ctx, tx, *mine, "") })
		if err == nil {
			*mine = id.ID{}
		}
		return err
	default:
		return n.inTx(func(ctx context.Context, tx *pg.Tx) error {
			archive := n.cases.ArchiveProject
			if step.kind == "unarchive" {
				archive = n.cases.UnarchiveProject
			}
			_, err := archive(ctx, tx, projectID, "")
			return err
		})
	}
}

// note keeps what the caller of a create was told. One who left was told nothing, and the task may be there.
func (n *numbering) note(task *workflowv1.Task, err error, kind string, mine *id.ID) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		if kind == "cut" && !errors.Is(err, domain.ErrProjectArchived) {
			n.cut++
			return nil
		}
		return err
	}
	n.told[task.GetId()] = task.GetNumber()
	*mine = id.MustParse(task.GetId())
	return nil
}

// requireNumbers holds what is there against what was told.
func (n *numbering) requireNumbers(t *rapid.T) (made int) {
	rows, err := n.pg.Admin.Query(n.t.Context(), `select payload from outbox
		where type = 'workflow.task.created' and organization_id = $1 order by position`, n.organizationID.String())
	require.NoError(t, err)
	defer rows.Close()
	newest, untold := map[string]int32{}, 0
	for rows.Next() {
		var payload []byte
		require.NoError(t, rows.Scan(&payload))
		var created workflowv1.TaskCreated
		require.NoError(t, proto.Unmarshal(payload, &created))
		task := created.GetTask()
		newest[task.GetProjectId()]++
		require.Equal(t, newest[task.GetProjectId()], task.GetNumber(), "events come in the order of numbers, which have no gaps")
		if told, known := n.told[task.GetId()]; known {
			require.Equal(t, told, task.GetNumber(), "another number in the event than in the answer")
			delete(n.told, task.GetId())
		} else {
			untold++
		}
		made++
	}
	require.NoError(t, rows.Err())
	require.Empty(t, n.told, "tasks that were acknowledged have no event")
	require.LessOrEqual(t, untold, n.cut, "tasks that nobody was told of")
	for _, projectID := range n.projects {
		require.EqualValues(t, newest[projectID.String()]+1, n.count(`select next_number from project where id = $1`, projectID.String()))
		n.requireRevisions(projectID, n.count(`select count(*) from project_change where project_id = $1`, projectID.String()))
	}
	require.Equal(t, made, n.count(`select count(*) from task where organization_id = $1`, n.organizationID.String())+
		n.count(`select count(*) from outbox where type = 'workflow.task.deleted' and organization_id = $1`, n.organizationID.String()))
	return made
}

// Whoever creates tasks, in whichever projects, with refusals, changes of mind, callers that leave, deletions and
// archiving between: the numbers of each project are 1, 2, 3, …, each once, and the events have their order.
func TestNumbersAreGaplessWhateverHappens(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	made, cut := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		n := &numbering{
			fixture: f, organizationID: id.New(), told: map[string]int32{},
			handlers: api.NewTasks(f.cases, idempotency.Runner{DB: f.database, Clock: f.clock}),
		}
		projects := rapid.IntRange(1, 3).Draw(rt, "projects")
		for i := range projects {
			require.NoError(rt, n.inTx(func(ctx context.Context, tx *pg.Tx) error {
				project, err := n.cases.CreateProject(ctx, tx, fmt.Sprintf("P%d", i), "Site", "")
				n.projects = append(n.projects, project.ID)
				return err
			}))
		}
		kinds := []string{"create", "create", "create", "create", "cut", "change of mind", "delete", "archive", "unarchive", "unarchive"}
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
			return step{
				kind: rapid.SampledFrom(kinds).Draw(t, "kind"), project: rapid.IntRange(0, projects-1).Draw(t, "project"),
				after: time.Duration(rapid.IntRange(0, 2000).Draw(t, "microseconds")) * time.Microsecond,
			}
		}), 1, 6)
		creators := rapid.SliceOfN(steps, 1, 8).Draw(rt, "creators")
		var working sync.WaitGroup
		for _, steps := range creators {
			working.Go(func() {
				var mine id.ID
				for _, step := range steps {
					err := n.perform(step, &mine)
					if err != nil && !errors.Is(err, errChangedMind) && !errors.Is(err, domain.ErrProjectArchived) {
						t.Errorf("%+v: %v", step, err)
					}
				}
			})
		}
		working.Wait()
		made += n.requireNumbers(rt)
		cut += n.cut
	})
	require.Greater(t, made, 100, "hardly a task was made")
	require.Positive(t, cut, "nobody has left")
}

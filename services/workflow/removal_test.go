package workflow

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/api"
	"github.com/braidhq/braid/services/workflow/internal/domain"
)

// The news of one person's membership, whatever the order in which it is heard and however often, ends where the latest
// of it says.
func TestTheLatestNewsOfAMembershipCounts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	task := f.path("/tasks/" + f.task(f.project("WEB"), map[string]any{})["id"].(string))
	start := f.clock.Now()
	removed := func(minute int) {
		require.NoError(t, f.memberRemoved(f.viewerID, start.Add(time.Duration(minute)*time.Minute)))
	}
	added := func(minute int) {
		require.NoError(t, f.memberAdded(f.viewerID, start.Add(time.Duration(minute)*time.Minute)))
	}
	assign := func() error {
		return f.inTx(f.memberID, func(ctx context.Context, tx *pg.Tx) error {
			_, err := f.cases.AssignTask(ctx, tx, id.MustParse(task[len(task)-36:]), f.viewerID, "")
			return err
		})
	}
	assignee := func() any { return f.must("GET", task, f.memberToken, nil)["assigneeId"] }

	require.NoError(t, assign(), "who was never heard of is taken at organization's word")
	require.NoError(t, f.memberRemoved(id.New(), start), "somebody else")
	require.Equal(t, f.viewerID.String(), assignee())
	removed(10)
	require.Empty(t, assignee())
	require.ErrorIs(t, assign(), domain.ErrAssigneeUnsettled)
	added(5)
	require.ErrorIs(t, assign(), domain.ErrAssigneeUnsettled, "that was before the removal")
	added(20)
	require.NoError(t, assign())
	for range 2 {
		removed(10)
		removed(15)
		require.Equal(t, f.viewerID.String(), assignee(), "that was before the return")
	}
	events := len(f.events())
	removed(30)
	require.Empty(t, assignee())
	removed(30)
	added(30)
	require.ErrorIs(t, assign(), domain.ErrAssigneeUnsettled, "at the same moment the removal counts")
	require.Len(t, f.events(), events+1)
}

// Every way to give somebody a task waits until it is known whether that is a member, and then says what organization says.
func TestAssignmentsWaitForNewsOfTheAssignee(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.project("WEB")
	task := f.path("/tasks/" + f.task(project, map[string]any{})["id"].(string))
	ways := []func(fields map[string]any) (method, path string){
		func(fields map[string]any) (string, string) {
			fields["title"] = "Another"
			return "POST", f.path("/projects/" + project + "/tasks")
		},
		func(map[string]any) (string, string) { return "PATCH", task },
		func(map[string]any) (string, string) { return "POST", task + ":assign" },
	}
	for _, way := range ways {
		fields := map[string]any{"assigneeId": f.viewerID.String()}
		method, path := way(fields)
		f.must("PATCH", task, f.memberToken, map[string]any{"assigneeId": ""})
		f.clock.Advance(time.Minute)
		require.NoError(t, f.memberRemoved(f.viewerID, f.clock.Now()))
		answers := make(chan int, 1)
		ask := func() { answers <- f.REST(method, path, f.memberToken, fields).Status }
		go ask()
		f.Roles.Remove(f.organizationID, f.viewerID)
		require.Equal(t, http.StatusBadRequest, <-answers, path)
		f.Roles.Grant(f.organizationID, f.viewerID, "viewer")
		go ask()
		require.NoError(t, f.memberAdded(f.viewerID, f.clock.Now().Add(time.Second)))
		require.Equal(t, http.StatusOK, <-answers, path)
	}
	f.clock.Advance(time.Minute)
	require.NoError(t, f.memberRemoved(f.viewerID, f.clock.Now()))
	var asking sync.WaitGroup
	for _, way := range ways {
		fields := map[string]any{"assigneeId": f.viewerID.String()}
		method, path := way(fields)
		asking.Go(func() {
			answer := f.REST(method, path, f.memberToken, fields)
			assert.Equal(t, http.StatusServiceUnavailable, answer.Status, "%s: %s", path, answer.Text)
			assert.NotEmpty(t, answer.Header.Get("Retry-After"), "nobody waits for ever")
		})
	}
	asking.Wait()
	f.must("POST", task+":assign", f.memberToken, map[string]any{"assigneeId": f.memberID.String()})
}

// A removal that is heard while somebody assigns waits for that, and undoes it.
func TestRemovalWaitsForAssignmentsUnderWay(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	projectID := id.MustParse(f.project("WEB"))
	taskID := id.MustParse(f.task(projectID.String(), map[string]any{})["id"].(string))
	for name, give := range map[string]func(ctx context.Context, tx *pg.Tx) error{
		"create": func(ctx context.Context, tx *pg.Tx) error {
			_, err := f.cases.CreateTask(ctx, tx, projectID, domain.TaskDraft{TaskContent: domain.TaskContent{Title: "New"}, AssigneeID: f.viewerID})
			return err
		},
		"update": func(ctx context.Context, tx *pg.Tx) error {
			_, err := f.cases.UpdateTask(ctx, tx, taskID, updateOf(id.New().String(), f.viewerID))
			return err
		},
		"assign": func(ctx context.Context, tx *pg.Tx) error {
			_, err := f.cases.AssignTask(ctx, tx, taskID, f.viewerID, "")
			return err
		},
	} {
		f.clock.Advance(time.Minute)
		require.NoError(t, f.memberAdded(f.viewerID, f.clock.Now()))
		f.clock.Advance(time.Minute)
		heard := make(chan error, 1)
		require.NoError(t, f.inTx(f.memberID, func(ctx context.Context, tx *pg.Tx) error {
			if err := give(ctx, tx); err != nil {
				return err
			}
			go func() { heard <- f.memberRemoved(f.viewerID, f.clock.Now()) }()
			f.awaitCount(1, `select count(*) from pg_locks join pg_database on pg_database.oid = database
				where datname = current_database() and locktype = 'advisory' and not granted`)
			return nil
		}), name)
		require.NoError(t, <-heard, name)
		require.Zero(t, f.count(`select count(*) from task where assignee_id = $1`, f.viewerID.String()), name)
	}
}

// awaitCount waits until a counting statement gives a number.
func (f *fixture) awaitCount(wanted int, sql string) {
	f.t.Helper()
	require.Eventually(f.t, func() bool { return f.count(sql) == wanted }, patience, 2*time.Millisecond)
}

// Members are removed while others assign tasks to them, in many projects, alone and in shared transactions: nobody who
// was removed has a task at the end, and revisions and events are what they would be one after the other.
func TestNoAssignmentSurvivesARemoval(t *testing.T) {
	t.Parallel()
	const people, projects, each = 6, 3, 8
	f := newFixture(t)
	handlers := api.NewTasks(f.cases, idempotency.Runner{DB: f.database, Clock: f.clock})
	var projectIDs, taskIDs, userIDs []id.ID
	for number := range projects {
		projectID := id.MustParse(f.project("P" + string(rune('A'+number))))
		projectIDs = append(projectIDs, projectID)
		taskIDs = append(taskIDs, id.MustParse(f.task(projectID.String(), map[string]any{})["id"].(string)))
	}
	for range people {
		_, userID := f.SignIn(f.organizationID, "member")
		userIDs = append(userIDs, userID)
	}
	var working sync.WaitGroup
	for number, userID := range userIDs {
		for turn := range each {
			working.Go(func() {
				taskID, projectID := taskIDs[(number+turn)%projects], projectIDs[(number+turn)%projects]
				err := f.inTx(f.memberID, func(ctx context.Context, tx *pg.Tx) error {
					_, err := f.cases.AssignTask(ctx, tx, taskID, userID, "")
					return err
				})
				if err != nil && !errors.Is(err, domain.ErrAssigneeUnsettled) {
					t.Errorf("assign: %v", err)
				}
				// The roles still say that the user is a member, as a cache would; in the end the request gives up.
				ctx, cancel := context.WithTimeout(f.as(f.memberID), 200*time.Millisecond)
				defer cancel()
				_, _ = handlers.CreateTask(ctx, &workflowv1.CreateTaskRequest{
					ProjectId: projectID.String(), Title: "For somebody", AssigneeId: userID.String(),
				})
			})
		}
		working.Go(func() {
			if err := f.memberRemoved(userID, f.clock.Now()); err != nil {
				t.Errorf("remove: %v", err)
			}
		})
	}
	working.Wait()
	require.Zero(t, f.count(`select count(*) from task where assignee_id is not null`))
	changes := 0
	for _, projectID := range projectIDs {
		revisions := f.count(`select revision from project where id = $1`, projectID.String())
		f.requireRevisions(projectID, revisions)
		changes += revisions
	}
	require.Len(t, f.events(), changes+projects, "an event for each change, and for each project")
}

// What is finished keeps the name of who did it; opened again it is nobody's, when that person has left.
func TestReopenedTaskOfAFormerMember(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.project("WEB")
	path := f.path("/tasks/" + f.task(project, map[string]any{"assigneeId": f.viewerID.String()})["id"].(string))
	move := func(status string) map[string]any {
		return f.must("POST", path+":transition", f.memberToken, map[string]any{"status": status})
	}
	move("cancelled")
	require.Equal(t, f.viewerID.String(), move("todo")["assigneeId"], "a member's stays theirs")
	move("cancelled")
	require.NoError(t, f.memberRemoved(f.viewerID, f.clock.Now()))
	require.Equal(t, f.viewerID.String(), f.must("GET", path, f.memberToken, nil)["assigneeId"])
	require.Empty(t, move("todo")["assigneeId"])
	types := f.events()
	require.Equal(t, []string{"workflow.task.status_changed", "workflow.task.assigned"}, types[len(types)-2:])
	f.requireRevisions(id.MustParse(project), 6)
	assigned := &workflowv1.TaskAssigned{}
	f.lastEvent("workflow.task.assigned", assigned)
	require.Equal(t, f.viewerID.String(), assigned.GetPreviousAssigneeId())
	require.Equal(t, []string{f.memberID.String()}, assigned.GetParticipantIds())
}

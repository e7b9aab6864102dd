package workflow

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/domain"
)

var errChangedMind = errors.New("rolled back by the test")

func TestNumbersAreGaplessUnderConcurrency(t *testing.T) {
	t.Parallel()
	const creators, each = 32, 12
	f := newFixture(t)
	projectID := id.MustParse(f.project("WEB"))
	var working sync.WaitGroup
	var kept [creators]int
	for creator := range creators {
		working.Go(func() {
			random := rand.New(rand.NewPCG(uint64(creator), 7))
			for attempt := range each {
				rollBack := random.IntN(4) == 0
				err := f.inTx(f.memberID, func(ctx context.Context, tx *pg.Tx) error {
					if _, err := f.cases.CreateTask(ctx, tx, projectID, domain.TaskDraft{TaskContent: domain.TaskContent{Title: fmt.Sprint(creator, attempt)}}); err != nil {
						return err
					}
					if rollBack {
						return errChangedMind
					}
					return nil
				})
				switch {
				case rollBack && errors.Is(err, errChangedMind):
				case !rollBack && err == nil:
					kept[creator]++
				default:
					t.Errorf("creator %d: %v", creator, err)
				}
			}
		})
	}
	working.Wait()
	total := 0
	for _, count := range kept {
		total += count
	}
	require.Less(t, total, creators*each, "some were rolled back")
	require.Equal(t, total, f.count(`select count(*) from task`))
	require.Equal(t, total, f.count(`select max(number) from task`))
	require.Equal(t, total, f.count(`select count(distinct number) from task where number > 0`))
	f.requireRevisions(projectID, total)
}

// requireRevisions checks that a project's changes are exactly those from 1 to its revision, each saying its own.
func (f *fixture) requireRevisions(projectID id.ID, wanted int) {
	f.t.Helper()
	require.Equal(f.t, wanted, f.count(`select revision from project where id = $1`, projectID.String()))
	rows, err := f.pg.Admin.Query(f.t.Context(), `select revision, payload from project_change where project_id = $1 order by revision`, projectID.String())
	require.NoError(f.t, err)
	defer rows.Close()
	next := int64(1)
	for rows.Next() {
		var revision int64
		var payload []byte
		require.NoError(f.t, rows.Scan(&revision, &payload))
		change := &workflowv1.ProjectChange{}
		require.NoError(f.t, proto.Unmarshal(payload, change))
		require.Equal(f.t, next, revision)
		require.Equal(f.t, next, change.GetRevision())
		next++
	}
	require.NoError(f.t, rows.Err())
	require.EqualValues(f.t, wanted+1, next)
}

func TestEveryChangeTakesExactlyOneRevision(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	projectID := id.MustParse(f.project("WEB"))
	project := f.path("/projects/" + projectID.String())
	task := f.path("/tasks/" + f.task(projectID.String(), map[string]any{})["id"].(string))
	comments := task + "/comments"
	comment := comments + "/" + f.must("POST", comments, f.memberToken, map[string]any{"body": "a"})["id"].(string)
	revisions := 2
	for step, write := range []struct {
		method, path, token string
		body                map[string]any
		takes               int
	}{
		{"PATCH", task, f.memberToken, map[string]any{"title": "b"}, 1},
		{"PATCH", task, f.memberToken, map[string]any{"title": "b"}, 0},
		{"PATCH", task, f.memberToken, map[string]any{"title": "c", "assigneeId": f.memberID.String()}, 2},
		{"POST", task + ":assign", f.memberToken, map[string]any{"assigneeId": f.memberID.String()}, 0},
		{"POST", task + ":assign", f.memberToken, map[string]any{"assigneeId": ""}, 1},
		{"POST", task + ":transition", f.memberToken, map[string]any{"status": "cancelled"}, 1},
		{"PATCH", comment, f.memberToken, map[string]any{"body": "b"}, 1},
		{"PATCH", comment, f.memberToken, map[string]any{"body": "b"}, 0},
		{"PATCH", project, f.adminToken, map[string]any{"description": "b"}, 1},
		{"PATCH", project, f.adminToken, map[string]any{"description": "b"}, 0},
		{"POST", project + ":archive", f.adminToken, map[string]any{}, 1},
		{"POST", project + ":unarchive", f.adminToken, map[string]any{}, 1},
		{"POST", project + ":unarchive", f.adminToken, map[string]any{}, 0},
		{"DELETE", comment, f.memberToken, nil, 1},
		{"DELETE", task, f.memberToken, nil, 1},
	} {
		var body any
		if write.body != nil {
			body = write.body
		}
		before := len(f.events())
		f.must(write.method, write.path, write.token, body)
		revisions += write.takes
		require.Equal(t, before+write.takes, len(f.events()), "step %d: one event for each revision", step)
		f.requireRevisions(projectID, revisions)
	}
	types := f.changeTypes(projectID)
	require.Equal(t, []string{
		"task.created", "comment.created", "task.updated", "task.updated", "task.assigned", "task.assigned",
		"task.status_changed", "comment.updated", "project.updated", "project.archived", "project.unarchived",
		"comment.deleted", "task.deleted",
	}, types)
}

func (f *fixture) changeTypes(projectID id.ID) (types []string) {
	f.t.Helper()
	rows, err := f.pg.Admin.Query(f.t.Context(), `select payload from project_change where project_id = $1 order by revision`, projectID.String())
	require.NoError(f.t, err)
	defer rows.Close()
	for rows.Next() {
		var payload []byte
		require.NoError(f.t, rows.Scan(&payload))
		change := &workflowv1.ProjectChange{}
		require.NoError(f.t, proto.Unmarshal(payload, change))
		types = append(types, change.GetType())
	}
	require.NoError(f.t, rows.Err())
	return types
}

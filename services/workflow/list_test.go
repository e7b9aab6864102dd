package workflow

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/domain"
)

// listFilters are filters with what they select.
func listFilters(f *fixture) map[string]func(domain.Task) bool {
	return map[string]func(domain.Task) bool{
		"":                          func(domain.Task) bool { return true },
		`status = "in_progress"`:    func(t domain.Task) bool { return t.Status == domain.InProgress },
		`status != "in_progress"`:   func(t domain.Task) bool { return t.Status != domain.InProgress },
		`assigneeId = ""`:           func(t domain.Task) bool { return t.AssigneeID.IsZero() },
		`priority = HIGH`:           func(t domain.Task) bool { return t.Priority == domain.High },
		`priority >= HIGH`:          func(t domain.Task) bool { return t.Priority >= domain.High },
		`labels:"l3"`:               func(t domain.Task) bool { return slices.Contains(t.Labels, "l3") },
		`title:"TASK C"`:            func(t domain.Task) bool { return strings.Contains(strings.ToLower(t.Title), "task c") },
		`dueTime:* AND labels:"l1"`: func(t domain.Task) bool { return !t.DueTime.IsZero() && slices.Contains(t.Labels, "l1") },
		`assigneeId = "` + f.memberID.String() + `"`: func(t domain.Task) bool { return t.AssigneeID == f.memberID },
		`reporterId = "` + f.viewerID.String() + `"`: func(domain.Task) bool { return false },
		`createTime > "2026-03-04T05:06:20Z"`:        func(t domain.Task) bool { return t.CreateTime.After(time.Date(2026, 3, 4, 5, 6, 20, 0, time.UTC)) },
	}
}

// listOrders are orders with how they compare.
var listOrders = map[string]func(a, b domain.Task) int{
	"number":     func(a, b domain.Task) int { return cmp.Compare(a.Number, b.Number) },
	"createTime": func(a, b domain.Task) int { return a.CreateTime.Compare(b.CreateTime) },
	"updateTime": func(a, b domain.Task) int { return a.UpdateTime.Compare(b.UpdateTime) },
	"dueTime":    func(a, b domain.Task) int { return a.DueTime.Compare(b.DueTime) },
	"priority":   func(a, b domain.Task) int { return cmp.Compare(a.Priority, b.Priority) },
}

// varied makes tasks that differ in all that a list filters and sorts by.
func (f *fixture) varied(projectID id.ID) []domain.Task {
	f.t.Helper()
	people := []id.ID{{}, f.memberID, f.viewerID}
	var tasks []domain.Task
	for i := range 60 {
		f.clock.Advance(time.Duration(i%3) * time.Second)
		draft := domain.TaskDraft{AssigneeID: people[i%3], TaskContent: domain.TaskContent{
			Title: fmt.Sprintf("Task %c %d", 'a'+i%5, i), Priority: domain.Priority(1 + i%4), Labels: []string{"all", fmt.Sprint("l", i%7)},
		}}
		if i%4 != 0 {
			draft.DueTime = f.clock.Now().Add(time.Duration(i%6) * time.Hour)
		}
		require.NoError(f.t, f.inTx(f.memberID, func(ctx context.Context, tx *pg.Tx) error {
			task, err := f.cases.CreateTask(ctx, tx, projectID, draft)
			if err == nil {
				tasks = append(tasks, task)
			}
			return err
		}))
		if i%5 == 0 {
			require.NoError(f.t, f.inTx(f.memberID, func(ctx context.Context, tx *pg.Tx) error {
				task, err := f.cases.TransitionTask(ctx, tx, tasks[i].ID, domain.InProgress, "")
				tasks[i] = task
				return err
			}))
		}
	}
	return tasks
}

// choose is what a list must answer; tasks without a due time come last in both directions.
func choose(tasks []domain.Task, filter func(domain.Task) bool, order string, descending bool) (wanted []domain.Task) {
	for _, task := range tasks {
		if filter(task) {
			wanted = append(wanted, task)
		}
	}
	slices.SortFunc(wanted, func(a, b domain.Task) int {
		if order == "dueTime" && a.DueTime.IsZero() != b.DueTime.IsZero() {
			return map[bool]int{true: 1, false: -1}[a.DueTime.IsZero()]
		}
		compared := cmp.Or(listOrders[order](a, b), strings.Compare(a.ID.String(), b.ID.String()))
		if descending {
			return -compared
		}
		return compared
	})
	return wanted
}

// What a list answers, page by page, is what filtering and sorting in memory gives.
func TestListOfTasksIsWhatAModelSays(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	projectID := id.MustParse(f.project("WEB"))
	f.create(f.process, id.MustParse(f.project("APP")), 5)
	tasks, filters := f.varied(projectID), listFilters(f)
	filterNames, orderNames := sortedKeys(filters), sortedKeys(listOrders)
	rapid.Check(t, func(rt *rapid.T) {
		filter := rapid.SampledFrom(filterNames).Draw(rt, "filter")
		order := rapid.SampledFrom(orderNames).Draw(rt, "order")
		descending := rapid.Bool().Draw(rt, "descending")
		size := rapid.IntRange(1, 70).Draw(rt, "size")
		request := list.Request{Filter: filter, OrderBy: order, PageSize: int32(size)}
		if descending {
			request.OrderBy += " desc"
		}
		var got []domain.Task
		for range len(tasks) + 1 {
			page, next, err := f.cases.ListTasks(f.as(f.memberID), projectID, request)
			require.NoError(rt, err)
			require.LessOrEqual(rt, len(page), size)
			got = append(got, page...)
			if request.PageToken = next; next == "" {
				break
			}
		}
		require.Equal(rt, keysOf(choose(tasks, filters[filter], order, descending)), keysOf(got))
	})
}

func TestEmptyListIsNotAMissingProject(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.project("WEB")
	require.Equal(t, []any{}, f.must("GET", f.path("/projects/"+project+"/tasks"), f.viewerToken, nil)["tasks"])
	f.refused("GET", f.path("/projects/"+id.New().String()+"/tasks"), f.viewerToken, nil, 404, "NOT_FOUND")
	task := f.task(project, map[string]any{})["id"].(string)
	require.Equal(t, []any{}, f.must("GET", f.path("/tasks/"+task+"/comments"), f.viewerToken, nil)["comments"])
	f.refused("GET", f.path("/tasks/"+id.New().String()+"/comments"), f.viewerToken, nil, 404, "NOT_FOUND")
}

func TestListRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tasks := f.path("/projects/" + f.project("WEB") + "/tasks")
	for query, field := range map[string]string{
		"?filter=color%20=%20%22red%22": "filter", "?orderBy=color": "orderBy", "?pageSize=-1": "pageSize",
	} {
		require.Equal(t, []string{field}, f.refused("GET", tasks+query, f.viewerToken, nil, 400, "INVALID_ARGUMENT").Fields())
	}
	f.task(id.MustParse(strings.Split(tasks, "/")[6]).String(), map[string]any{})
	f.task(id.MustParse(strings.Split(tasks, "/")[6]).String(), map[string]any{})
	token := f.must("GET", tasks+"?pageSize=1", f.viewerToken, nil)["nextPageToken"].(string)
	f.refused("GET", f.path("/projects/"+f.project("APP")+"/tasks")+"?pageSize=1&pageToken="+token, f.viewerToken, nil, 400, "PAGE_TOKEN_INVALID")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func keysOf(tasks []domain.Task) []string {
	keys := make([]string, 0, len(tasks))
	for _, task := range tasks {
		keys = append(keys, task.Key())
	}
	return keys
}

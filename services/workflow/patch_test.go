package workflow

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
)

// An update that asks for nothing answers with what there is.
func TestEmptyPatchChangesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	projectID := f.project("WEB")
	task := f.task(projectID, map[string]any{})
	taskPath := f.path("/tasks/" + task["id"].(string))
	comment := f.must("POST", taskPath+"/comments", f.memberToken, map[string]any{"body": "Hm"})
	before := f.events()
	project := f.must("GET", f.path("/projects/"+projectID), f.viewerToken, nil)
	require.Equal(t, project, f.must("PATCH", f.path("/projects/"+projectID), f.adminToken, map[string]any{}))
	require.Equal(t, task, f.must("PATCH", taskPath, f.memberToken, map[string]any{}))
	commentPath := taskPath + "/comments/" + comment["id"].(string)
	require.Equal(t, comment, f.must("PATCH", commentPath, f.memberToken, map[string]any{}))
	require.Equal(t, before, f.events())
}

// What a caller may believe to have changed is refused by name, and what was asked for with it is not done either.
func TestFixedFieldsAreRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	projectID, other := f.project("WEB"), f.project("APP")
	task := f.task(projectID, map[string]any{})
	taskPath := f.path("/tasks/" + task["id"].(string))
	comment := f.must("POST", taskPath+"/comments", f.memberToken, map[string]any{"body": "Hm"})
	commentPath := taskPath + "/comments/" + comment["id"].(string)
	before := f.events()
	for _, attempt := range []struct {
		path, token, text, field string
		value                    any
	}{
		{taskPath, f.memberToken, "title", "projectId", other},
		{taskPath, f.memberToken, "title", "organizationId", id.New().String()},
		{taskPath, f.memberToken, "title", "reporterId", f.viewerID.String()},
		{taskPath, f.memberToken, "title", "status", "done"},
		{f.path("/projects/" + projectID), f.adminToken, "displayName", "key", "APP2"},
		{f.path("/projects/" + projectID), f.adminToken, "displayName", "archived", true},
		{commentPath, f.memberToken, "body", "taskId", id.New().String()},
		{commentPath, f.memberToken, "body", "authorId", f.viewerID.String()},
	} {
		body := map[string]any{attempt.text: "Changed", attempt.field: attempt.value}
		answer := f.refused("PATCH", attempt.path, attempt.token, body, 400, "INVALID_ARGUMENT")
		require.Equal(t, []string{attempt.field}, answer.Fields(), attempt.field)
		require.Contains(t, answer.Text, `"immutable"`)
	}
	// A resource that is another than the path's is a mistake, too.
	for path, other := range map[string]string{taskPath: id.New().String(), f.path("/projects/" + projectID): other, commentPath: task["id"].(string)} {
		answer := f.refused("PATCH", path, f.adminToken, map[string]any{"id": other}, 400, "INVALID_ARGUMENT")
		require.Equal(t, []string{"id"}, answer.Fields(), path)
	}
	unknown := f.refused("PATCH", taskPath+"?updateMask=dueDate", f.memberToken, map[string]any{}, 400, "INVALID_ARGUMENT")
	require.Contains(t, unknown.Text, `names \"dueDate\", which is no field; those that can be changed are title, description, priority, assigneeId, dueTime, labels`)
	require.Equal(t, before, f.events())
	require.Equal(t, task, f.must("GET", taskPath, f.viewerToken, nil))

	// What only the server writes is passed over, and so is what stays as it is.
	passed := f.must("PATCH", taskPath, f.memberToken, map[string]any{
		"id": task["id"], "number": 7, "key": "X-7", "createTime": "2020-01-01T00:00:00Z", "projectId": projectID, "status": "todo",
	})
	require.Equal(t, task, passed)
}

func TestTimesThatNobodyMeansAreRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.project("WEB")
	path, tasks := f.path("/tasks/"+f.task(project, map[string]any{})["id"].(string)), f.path("/projects/"+project+"/tasks")
	for _, far := range []string{"0001-01-01T00:00:00Z", "0001-01-01T00:00:01Z", "1969-12-31T23:59:59Z"} {
		made := f.refused("POST", tasks, f.memberToken, map[string]any{"title": "x", "dueTime": far}, 400, "INVALID_ARGUMENT")
		require.Equal(t, []string{"dueTime"}, made.Fields(), far)
		changed := f.refused("PATCH", path, f.memberToken, map[string]any{"dueTime": far}, 400, "INVALID_ARGUMENT")
		require.Equal(t, []string{"dueTime"}, changed.Fields(), far)
	}
	f.must("PATCH", path, f.memberToken, map[string]any{"dueTime": "9999-12-31T23:59:59Z"})
}

func TestAssigningNobodyIsSaid(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	path := f.path("/tasks/" + f.task(f.project("WEB"), map[string]any{"assigneeId": f.viewerID.String()})["id"].(string))
	silent := f.refused("POST", path+":assign", f.memberToken, map[string]any{}, 400, "INVALID_ARGUMENT")
	require.Equal(t, []string{"assigneeId"}, silent.Fields())
	require.Contains(t, silent.Text, `"required"`)
	wrong := f.refused("POST", path+":assign", f.memberToken, map[string]any{"assigneeId": "ben"}, 400, "INVALID_ARGUMENT")
	require.Equal(t, []string{"assigneeId"}, wrong.Fields())
	require.Equal(t, f.viewerID.String(), f.must("GET", path, f.viewerToken, nil)["assigneeId"])
	require.Empty(t, f.must("POST", path+":assign", f.memberToken, map[string]any{"assigneeId": ""})["assigneeId"])
}

func TestTextsHaveNoHiddenCharacters(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tasks := f.path("/projects/" + f.project("WEB") + "/tasks")
	for name, bad := range map[string]string{
		"line break": "a\nb", "carriage return": "a\rb", "tab": "a\tb", "escape": "a\x1bb", "next line": "a\u0085b", "delete": "a\x7fb",
		"line separator": "a\u2028b", "override": "a\u202eb", "isolate": "a\u2067b", "nothing to see": "\u200b\ufeff",
	} {
		for _, body := range []map[string]any{{"title": bad}, {"title": "x", "labels": []string{bad}}} {
			answer := f.REST("POST", tasks, f.memberToken, body)
			require.Equal(t, 400, answer.Status, "%s: %s", name, answer.Text)
			require.Contains(t, answer.Text, `"string.one_line"`, name)
		}
		answer := f.REST("POST", f.path("/projects"), f.adminToken, map[string]any{"key": "ABC", "displayName": bad})
		require.Contains(t, answer.Text, `"string.one_line"`, name)
	}
	for name, bad := range map[string]string{"escape": "a\x1bb", "backspace": "a\bb", "override": "a\u202eb", "control": "a\u009fb"} {
		answer := f.refused("POST", tasks, f.memberToken, map[string]any{"title": "x", "description": bad}, 400, "INVALID_ARGUMENT")
		require.Equal(t, []string{"description"}, answer.Fields(), name)
		require.Contains(t, answer.Text, `"string.lines"`, name)
	}
	// Joined emoji, scripts that are written with joiners or to the left, and lines where there may be some.
	text := "Ünïcode 👩\u200d💻 می\u200cخواهم שלום\u200f!"
	made := f.must("POST", tasks, f.memberToken, map[string]any{"title": text, "labels": []string{text}, "description": "a\r\n\tb\u2028" + text})
	require.Equal(t, text, made["title"])
	path := f.path("/tasks/" + made["id"].(string))
	require.Equal(t, []string{"title"}, f.refused("PATCH", path, f.memberToken, map[string]any{"title": "a\nb"}, 400, "INVALID_ARGUMENT").Fields())
	f.refused("POST", path+"/comments", f.memberToken, map[string]any{"body": "\u202eab"}, 400, "INVALID_ARGUMENT")
	f.must("POST", path+"/comments", f.memberToken, map[string]any{"body": "a\n\tb"})
}

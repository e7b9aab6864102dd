package workflow

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/testkit/rpctest"
)

func TestTaskLife(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.project("WEB")
	made := f.task(project, map[string]any{
		"title": " Paint ", "labels": []string{"b", "a"}, "dueTime": "2026-05-01T10:00:00Z", "assigneeId": f.viewerID.String(),
	})
	require.Equal(t, "WEB-1", made["key"])
	require.EqualValues(t, 1, made["number"])
	require.Equal(t, "Paint", made["title"])
	require.Equal(t, "todo", made["status"])
	require.Equal(t, "NORMAL", made["priority"])
	require.Equal(t, []any{"a", "b"}, made["labels"])
	require.Equal(t, "2026-05-01T10:00:00Z", made["dueTime"])
	require.Equal(t, f.memberID.String(), made["reporterId"])
	path := f.path("/tasks/" + made["id"].(string))
	require.Equal(t, made, f.must("GET", path, f.viewerToken, nil))
	require.Equal(t, made, f.must("PATCH", path, f.memberToken, made), "what was read can be sent back")

	changed := f.must("PATCH", path, f.memberToken, map[string]any{
		"title": "Draw", "priority": "HIGH", "dueTime": nil, "assigneeId": "", "etag": made["etag"],
	})
	require.Equal(t, "Draw", changed["title"])
	require.Equal(t, "HIGH", changed["priority"])
	require.Nil(t, changed["dueTime"])
	require.Empty(t, changed["assigneeId"])
	stale := f.refused("PATCH", path, f.memberToken, map[string]any{"title": "x", "etag": made["etag"]}, 409, "ETAG_MISMATCH")
	require.Equal(t, changed["etag"], stale.Metadata()["etag"])
	f.refused("PATCH", path, f.memberToken, map[string]any{"status": "done"}, 400, "INVALID_ARGUMENT")
	unknown := f.refused("PATCH", path+"?updateMask=title,color", f.memberToken, map[string]any{"title": "x"}, 400, "INVALID_ARGUMENT")
	require.Equal(t, []string{"updateMask"}, unknown.Fields())

	assigned := f.must("POST", path+":assign", f.memberToken, map[string]any{"assigneeId": f.memberID.String(), "etag": changed["etag"]})
	require.Equal(t, assigned, f.must("POST", path+":assign", f.memberToken, map[string]any{"assigneeId": f.memberID.String()}))
	moved := f.must("POST", path+":transition", f.memberToken, map[string]any{"status": "in_progress"})
	require.Equal(t, "in_progress", moved["status"])
	forbidden := f.refused("POST", path+":transition", f.memberToken, map[string]any{"status": "done"}, 409, "TRANSITION_NOT_ALLOWED")
	require.Equal(t, "in_progress", forbidden.Metadata()["status"])
	require.Equal(t, "todo,in_review,cancelled", forbidden.Metadata()["allowed"])
	f.refused("POST", path+":transition", f.memberToken, map[string]any{"status": "asleep"}, 400, "INVALID_ARGUMENT")

	f.must("POST", path+"/comments", f.memberToken, map[string]any{"body": "Hm"})
	f.refused("DELETE", path+"?etag=stale", f.memberToken, nil, 409, "ETAG_MISMATCH")
	f.must("DELETE", path+"?etag="+moved["etag"].(string), f.memberToken, nil)
	f.refused("GET", path, f.memberToken, nil, 404, "NOT_FOUND")
	require.Zero(t, f.count(`select count(*) from comment`))
	require.EqualValues(t, 2, f.task(project, map[string]any{})["number"], "a number is not used again")

	require.Equal(t, []string{
		"workflow.project.created", "workflow.task.created", "workflow.task.updated", "workflow.task.assigned",
		"workflow.task.assigned", "workflow.task.status_changed", "workflow.task.commented", "workflow.task.deleted",
		"workflow.task.created",
	}, f.events())
}

func TestAssigneeIsAMember(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.project("WEB")
	_, outsider := f.SignIn(id.New(), "owner")
	tasks := f.path("/projects/" + project + "/tasks")
	refused := f.refused("POST", tasks, f.memberToken, map[string]any{"title": "x", "assigneeId": outsider.String()}, 400, "ASSIGNEE_NOT_MEMBER")
	require.Equal(t, []string{"assigneeId"}, refused.Fields())
	path := f.path("/tasks/" + f.task(project, map[string]any{})["id"].(string))
	f.refused("POST", path+":assign", f.memberToken, map[string]any{"assigneeId": outsider.String()}, 400, "ASSIGNEE_NOT_MEMBER")
	f.refused("PATCH", path, f.memberToken, map[string]any{"assigneeId": outsider.String()}, 400, "ASSIGNEE_NOT_MEMBER")
	f.Roles.Suspend(f.organizationID, f.viewerID)
	refused = f.refused("POST", path+":assign", f.memberToken, map[string]any{"assigneeId": f.viewerID.String()}, 400, "ASSIGNEE_NOT_MEMBER")
	require.Equal(t, []string{"assigneeId"}, refused.Fields(), "it is about the assignee, not about who asks")
	require.Equal(t, 1, f.count(`select count(*) from task`))
}

func TestRepeatedRequestGetsItsAnswerThoughTheAssigneeLeft(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tasks := f.path("/projects/" + f.project("WEB") + "/tasks")
	body := map[string]any{"title": "x", "assigneeId": f.viewerID.String()}
	first := f.REST("POST", tasks, f.memberToken, body, rpctest.IdempotencyKey("k"))
	require.Equal(t, 200, first.Status, first.Text)
	f.Roles.Remove(f.organizationID, f.viewerID)
	again := f.REST("POST", tasks, f.memberToken, body, rpctest.IdempotencyKey("k"))
	require.Equal(t, 200, again.Status, again.Text)
	require.Equal(t, first.Body, again.Body)
	require.Equal(t, "true", again.Header.Get("Idempotency-Replayed"))
	require.Equal(t, 1, f.count(`select count(*) from task`))
}

func TestNothingIsAssignedWhileMembershipIsUnknown(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := f.as(f.memberID)
	f.Roles.Fail(errs.New(errs.Unavailable, "UNAVAILABLE", "no answer"))
	require.Equal(t, errs.Unavailable, errs.KindOf(f.cases.CheckAssignee(ctx, f.viewerID)))
	require.NoError(t, f.cases.CheckAssignee(ctx, id.ID{}), "nobody needs no membership")
}

func TestBlankTexts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.project("WEB")
	tasks := f.path("/projects/" + project + "/tasks")
	require.Equal(t, []string{"title"}, f.refused("POST", tasks, f.memberToken, map[string]any{"title": " \t "}, 400, "INVALID_ARGUMENT").Fields())
	require.Equal(t, []string{"labels[1]"}, f.refused("POST", tasks, f.memberToken,
		map[string]any{"title": "x", "labels": []string{"a", " "}}, 400, "INVALID_ARGUMENT").Fields())
	path := f.path("/tasks/" + f.task(project, map[string]any{})["id"].(string))
	f.refused("PATCH", path, f.memberToken, map[string]any{"title": ""}, 400, "INVALID_ARGUMENT")
	f.refused("POST", path+"/comments", f.memberToken, map[string]any{"body": " "}, 400, "INVALID_ARGUMENT")
}

package workflow

import (
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
)

func TestCommentLife(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	task := f.task(f.project("WEB"), map[string]any{"assigneeId": f.viewerID.String()})
	comments := f.path("/tasks/" + task["id"].(string) + "/comments")
	first := f.must("POST", comments, f.memberToken, map[string]any{"body": " First "})
	require.Equal(t, "First", first["body"])
	require.Equal(t, f.memberID.String(), first["authorId"])
	second := f.must("POST", comments, f.adminToken, map[string]any{"body": "Second"})
	require.Equal(t, []any{first, second}, f.must("GET", comments, f.viewerToken, nil)["comments"])
	page := f.must("GET", comments+"?pageSize=1", f.viewerToken, nil)
	require.Equal(t, []any{first}, page["comments"])
	require.Equal(t, []any{second}, f.must("GET", comments+"?pageSize=1&pageToken="+page["nextPageToken"].(string), f.viewerToken, nil)["comments"])
	require.Equal(t, task, f.must("GET", f.path("/tasks/"+task["id"].(string)), f.viewerToken, nil), "a comment does not change its task")

	mine := comments + "/" + first["id"].(string)
	denied := f.refused("PATCH", mine, f.adminToken, map[string]any{"body": "x", "etag": "stale"}, 403, "COMMENT_NOT_YOURS")
	require.NotContains(t, denied.Metadata(), "permission", "it is one that the caller has")
	f.refused("DELETE", mine, f.adminToken, nil, 403, "COMMENT_NOT_YOURS")
	edited := f.must("PATCH", mine, f.memberToken, map[string]any{"body": "Better", "etag": first["etag"]})
	require.Equal(t, "Better", edited["body"])
	require.Equal(t, edited, f.must("PATCH", mine, f.memberToken, map[string]any{"body": "Better"}))
	f.refused("PATCH", mine, f.memberToken, map[string]any{"body": "x", "etag": first["etag"]}, 409, "ETAG_MISMATCH")
	f.refused("DELETE", mine+"?etag="+first["etag"].(string), f.memberToken, nil, 409, "ETAG_MISMATCH")
	f.must("DELETE", mine, f.memberToken, nil)
	f.refused("DELETE", mine, f.memberToken, nil, 404, "NOT_FOUND")

	// A comment is found below its own task only.
	other := f.task(f.project("APP"), map[string]any{})
	f.refused("DELETE", f.path("/tasks/"+other["id"].(string)+"/comments/"+second["id"].(string)), f.adminToken, nil, 404, "NOT_FOUND")

	require.Equal(t, []string{
		"workflow.project.created", "workflow.task.created", "workflow.task.commented", "workflow.task.commented",
		"workflow.comment.updated", "workflow.comment.deleted", "workflow.project.created", "workflow.task.created",
	}, f.events())
}

func TestParticipantsOfATask(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	task := f.path("/tasks/" + f.task(f.project("WEB"), map[string]any{"assigneeId": f.viewerID.String()})["id"].(string))
	token, third := f.SignIn(f.organizationID, "member")
	gone := f.must("POST", task+"/comments", token, map[string]any{"body": "Hm"})
	f.must("POST", task+"/comments", f.memberToken, map[string]any{"body": "Hm"})
	f.must("DELETE", task+"/comments/"+gone["id"].(string), token, nil)
	f.must("POST", task+":transition", f.adminToken, map[string]any{"status": "cancelled"})

	wanted := []string{f.memberID.String(), f.viewerID.String(), third.String()}
	slices.Sort(wanted)
	commented, moved := &workflowv1.TaskCommented{}, &workflowv1.TaskStatusChanged{}
	f.lastEvent("workflow.task.commented", commented)
	require.Equal(t, wanted, commented.GetParticipantIds())
	f.lastEvent("workflow.task.status_changed", moved)
	require.Equal(t, wanted, moved.GetParticipantIds())
	require.Equal(t, "todo", moved.GetPreviousStatus())
}

// lastEvent decodes the newest event of a type in the outbox.
func (f *fixture) lastEvent(eventType string, into proto.Message) {
	f.t.Helper()
	var payload []byte
	require.NoError(f.t, f.pg.Admin.QueryRow(f.t.Context(),
		`select payload from outbox where type = $1 order by position desc limit 1`, eventType).Scan(&payload))
	require.NoError(f.t, proto.Unmarshal(payload, into))
}

func TestCommentsAreFilteredAndSorted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	comments := f.path("/tasks/" + f.task(f.project("WEB"), map[string]any{})["id"].(string) + "/comments")
	var all []any
	for i := range 7 {
		token := []string{f.memberToken, f.adminToken}[i%2]
		all = append(all, f.must("POST", comments, token, map[string]any{"body": "Hm"}))
		if i%3 == 2 {
			// The others are written at the same moment.
			f.clock.Advance(time.Minute)
		}
	}
	list := func(filter, orderBy string) []any {
		var read []any
		for token, pages := "", 0; ; pages++ {
			require.Less(t, pages, 10, "the pages do not end")
			query := url.Values{"pageSize": {"2"}, "filter": {filter}, "orderBy": {orderBy}, "pageToken": {token}}
			page := f.must("GET", comments+"?"+query.Encode(), f.viewerToken, nil)
			read = append(read, page["comments"].([]any)...)
			if token, _ = page["nextPageToken"].(string); token == "" {
				return read
			}
		}
	}
	require.ElementsMatch(t, all, list("", ""))
	oldest := list("", "createTime")
	require.Equal(t, oldest, list("", ""))
	require.ElementsMatch(t, all[:3], oldest[:3])
	newest := list("", "createTime desc")
	slices.Reverse(newest)
	require.Equal(t, oldest, newest)
	mine := list(`authorId = "`+f.memberID.String()+`"`, "")
	require.ElementsMatch(t, []any{all[0], all[2], all[4], all[6]}, mine)
	require.ElementsMatch(t, all[6:], list(`createTime >= "2026-03-04T05:08:07Z"`, ""))
	for query, field := range map[string]string{"?filter=body%3Ax": "filter", "?orderBy=authorId": "orderBy"} {
		require.Equal(t, []string{field}, f.refused("GET", comments+query, f.viewerToken, nil, 400, "INVALID_ARGUMENT").Fields())
	}
	token := f.must("GET", comments+"?pageSize=1", f.viewerToken, nil)["nextPageToken"].(string)
	f.refused("GET", comments+"?orderBy=createTime%20desc&pageToken="+token, f.viewerToken, nil, 400, "PAGE_TOKEN_INVALID")
}

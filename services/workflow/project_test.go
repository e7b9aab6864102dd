package workflow

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
)

func TestProjectLife(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	made := f.must("POST", f.path("/projects"), f.adminToken, map[string]any{"key": "WEB", "displayName": " Site ", "description": "All of it"})
	require.Equal(t, "Site", made["displayName"])
	require.Equal(t, false, made["archived"])
	path := f.path("/projects/" + made["id"].(string))
	require.Equal(t, made, f.must("GET", path, f.viewerToken, nil))
	f.refused("POST", f.path("/projects"), f.adminToken, map[string]any{"key": "WEB", "displayName": "Again"}, 409, "PROJECT_KEY_TAKEN")

	changed := f.must("PATCH", path, f.adminToken, map[string]any{"displayName": "Shop", "etag": made["etag"]})
	require.Equal(t, "Shop", changed["displayName"])
	require.Equal(t, "All of it", changed["description"])
	require.NotEqual(t, made["etag"], changed["etag"])
	stale := f.refused("PATCH", path, f.adminToken, map[string]any{"displayName": "Store", "etag": made["etag"]}, 409, "ETAG_MISMATCH")
	require.Equal(t, changed["etag"], stale.Metadata()["etag"])
	require.Equal(t, changed, f.must("PATCH", path, f.adminToken, map[string]any{"displayName": "Shop"}), "no difference is no change")
	require.Equal(t, changed, f.must("PATCH", path, f.adminToken, changed), "what was read can be sent back")
	require.Equal(t, "", f.must("PATCH", path+"?updateMask=description", f.adminToken, map[string]any{"displayName": "x"})["description"])
	f.refused("PATCH", path, f.adminToken, map[string]any{"key": "APP"}, 400, "INVALID_ARGUMENT")
	f.refused("PATCH", path, f.adminToken, map[string]any{"displayName": "  "}, 400, "INVALID_ARGUMENT")

	archived := f.must("POST", path+":archive", f.adminToken, map[string]any{})
	require.Equal(t, true, archived["archived"])
	require.Equal(t, archived, f.must("POST", path+":archive", f.adminToken, map[string]any{}), "archiving again changes nothing")
	f.refused("POST", path+":archive", f.adminToken, map[string]any{"etag": made["etag"]}, 409, "ETAG_MISMATCH")
	f.refused("PATCH", path, f.adminToken, map[string]any{"displayName": "Store"}, 409, "PROJECT_ARCHIVED")
	active := f.must("POST", path+":unarchive", f.adminToken, map[string]any{})
	require.Equal(t, false, active["archived"])
	require.Equal(t, active, f.must("POST", path+":unarchive", f.adminToken, map[string]any{}))

	require.Equal(t, []string{
		"workflow.project.created", "workflow.project.updated", "workflow.project.updated", "workflow.project.archived",
		"workflow.project.unarchived",
	}, f.events())
}

func TestArchivedProjectIsReadOnly(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.project("WEB")
	task := f.path("/tasks/" + f.task(project, map[string]any{})["id"].(string))
	comment := task + "/comments/" + f.must("POST", task+"/comments", f.memberToken, map[string]any{"body": "Hm"})["id"].(string)
	f.must("POST", f.path("/projects/"+project+":archive"), f.adminToken, map[string]any{})
	before := len(f.events())
	for _, write := range []struct {
		method, path string
		body         map[string]any
	}{
		{"POST", f.path("/projects/" + project + "/tasks"), map[string]any{"title": "x"}},
		{"PATCH", task, map[string]any{"title": "x"}},
		{"PATCH", task, map[string]any{"title": "x", "etag": "stale"}},
		{"DELETE", task, nil},
		{"POST", task + ":assign", map[string]any{"assigneeId": f.viewerID.String()}},
		{"POST", task + ":transition", map[string]any{"status": "in_progress"}},
		{"POST", task + "/comments", map[string]any{"body": "x"}},
		{"PATCH", comment, map[string]any{"body": "x"}},
		{"DELETE", comment, nil},
	} {
		var body any
		if write.body != nil {
			body = write.body
		}
		f.refused(write.method, write.path, f.memberToken, body, 409, "PROJECT_ARCHIVED")
	}
	f.must("GET", task, f.viewerToken, nil)
	require.Len(t, f.events(), before)
}

func TestListProjects(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	require.Equal(t, []any{}, f.must("GET", f.path("/projects"), f.viewerToken, nil)["projects"])
	for _, key := range []string{"ONE", "TWO", "THREE"} {
		f.project(key)
	}
	keys := func(query string) (keys []string) {
		for _, project := range f.must("GET", f.path("/projects"+query), f.viewerToken, nil)["projects"].([]any) {
			keys = append(keys, project.(map[string]any)["key"].(string))
		}
		return keys
	}
	require.Equal(t, []string{"ONE", "THREE", "TWO"}, keys("?orderBy=key"))
	require.Equal(t, []string{"TWO"}, keys(`?filter=key%20=%20%22TWO%22`))
	require.Equal(t, []string{"ONE", "TWO", "THREE"}, keys("?filter=archived%20=%20false"))
	first := f.must("GET", f.path("/projects?pageSize=2"), f.viewerToken, nil)
	require.Len(t, first["projects"], 2)
	require.Equal(t, []string{"THREE"}, keys("?pageSize=2&pageToken="+first["nextPageToken"].(string)))
}

func TestMissingAndForeignProjectsAreTheSame(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.project("WEB")
	task := f.task(project, map[string]any{})["id"].(string)
	comment := f.must("POST", f.path("/tasks/"+task+"/comments"), f.memberToken, map[string]any{"body": "Hm"})["id"].(string)
	other := id.New()
	token, userID := f.SignIn(other, "owner")
	f.Roles.Grant(other, userID, "owner")
	base := "/api/v1/organizations/" + other.String()
	before := len(f.events())
	for _, ids := range [][3]string{{project, task, comment}, {id.New().String(), id.New().String(), id.New().String()}} {
		for _, request := range []struct {
			method, path string
			body         any
		}{
			{"GET", "/projects/" + ids[0], nil},
			{"PATCH", "/projects/" + ids[0], map[string]any{"displayName": "x"}},
			{"POST", "/projects/" + ids[0] + ":archive", map[string]any{}},
			{"POST", "/projects/" + ids[0] + ":unarchive", map[string]any{}},
			{"GET", "/projects/" + ids[0] + ":watch", nil},
			{"GET", "/projects/" + ids[0] + "/tasks", nil},
			{"POST", "/projects/" + ids[0] + "/tasks", map[string]any{"title": "x"}},
			{"GET", "/tasks/" + ids[1], nil},
			{"PATCH", "/tasks/" + ids[1], map[string]any{"title": "x"}},
			{"DELETE", "/tasks/" + ids[1], nil},
			{"POST", "/tasks/" + ids[1] + ":assign", map[string]any{"assigneeId": userID.String()}},
			{"POST", "/tasks/" + ids[1] + ":transition", map[string]any{"status": "in_progress"}},
			{"GET", "/tasks/" + ids[1] + "/comments", nil},
			{"POST", "/tasks/" + ids[1] + "/comments", map[string]any{"body": "x"}},
			{"PATCH", "/tasks/" + ids[1] + "/comments/" + ids[2], map[string]any{"body": "x"}},
			{"DELETE", "/tasks/" + ids[1] + "/comments/" + ids[2], nil},
		} {
			f.refused(request.method, base+request.path, token, request.body, 404, "NOT_FOUND")
		}
	}
	require.Len(t, f.events(), before)
}

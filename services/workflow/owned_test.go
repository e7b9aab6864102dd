package workflow

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/id"
)

// everywhere is a scope of the whole organization.
var everywhere = access.Scope{Kind: access.Organization}

// Who holds creating only for what is their own makes nothing in projects that they may not read: whatever they make
// would be theirs, so they would hold it in every project whose id they know.
func TestOwnRolesMakeNothingInProjectsThatAreNotRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	read, unread := f.project("WEB"), f.project("APP")
	maker := access.Role{ID: "maker", Allow: append([]string{"workflow.project.create"}, worker.Allow...)}
	tasks := func(projectID string) string { return f.path("/projects/" + projectID + "/tasks") }
	mine := map[string]any{"title": "Mine"}
	reader := inProject(read)
	reader.RoleID = "reader"
	token, _ := f.guestOf([]access.Role{maker}, access.Assignment{RoleID: "maker", Scope: everywhere, Owned: true}, reader)
	before := f.count(`select count(*) from outbox`)
	f.refused("POST", tasks(unread), token, mine, http.StatusNotFound, "NOT_FOUND")
	f.refused("POST", tasks(id.New().String()), token, mine, http.StatusNotFound, "NOT_FOUND")
	require.Equal(t, before, f.count(`select count(*) from outbox`))
	require.Equal(t, "WEB-1", f.must("POST", tasks(read), token, mine)["key"])

	own := f.must("POST", f.path("/projects"), token, map[string]any{"key": "OWN", "displayName": "Mine"})
	require.Equal(t, "OWN-1", f.must("POST", tasks(own["id"].(string)), token, mine)["key"], "what one owns one may read")
}

// A condition over the owner is the same promise in other words.
func TestConditionOverTheOwnerMakesNothingElsewhere(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	projectID := f.project("WEB")
	token, _ := f.guest(access.Assignment{Scope: everywhere, Condition: "resource.owner == subject.id"})
	f.refused("POST", f.path("/projects/"+projectID+"/tasks"), token, map[string]any{"title": "Mine"}, http.StatusNotFound, "NOT_FOUND")
}

// A project that somebody is denied to read isn't there for them, and nothing is listed or made in it, whatever else they
// hold.
func TestDeniedProjectIsNotThere(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	open, hidden := f.project("WEB"), f.project("APP")
	f.task(open, map[string]any{})
	f.task(hidden, map[string]any{})
	unread := access.Role{ID: "unread", Deny: []string{"workflow.project.read"}}
	denial := inProject(hidden)
	denial.RoleID = unread.ID
	token, _ := f.guestOf([]access.Role{unread}, access.Assignment{Scope: everywhere}, denial)
	require.Equal(t, []string{"WEB"}, f.keys(f.path("/projects"), "projects", token))
	require.Equal(t, []string{"WEB-1"}, f.keys(f.path("/projects/"+open+"/tasks"), "tasks", token))
	f.must("POST", f.path("/projects/"+open+"/tasks"), token, map[string]any{"title": "Made"})
	for _, request := range []struct{ method, path string }{
		{"GET", "/projects/" + hidden}, {"GET", "/projects/" + hidden + "/tasks"}, {"POST", "/projects/" + hidden + "/tasks"},
		{"GET", "/projects/" + hidden + ":watch"},
	} {
		var body any
		if request.method == "POST" {
			body = map[string]any{"title": "No"}
		}
		f.refused(request.method, f.path(request.path), token, body, http.StatusNotFound, "NOT_FOUND")
	}

	denial.Scope = everywhere
	token, _ = f.guestOf([]access.Role{unread}, access.Assignment{Scope: everywhere}, denial)
	for _, path := range []string{"/projects/" + open, "/projects/" + open + "/tasks"} {
		f.refused("GET", f.path(path), token, nil, http.StatusForbidden, "PERMISSION_DENIED")
	}
}

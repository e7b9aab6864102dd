package workflow

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/services/workflow/internal/store"
	"github.com/braidhq/braid/testkit/pgtest"
)

// worker is a role of the tests that works on tasks, and reads what it works on.
var worker = access.Role{ID: "worker", Allow: []string{
	"workflow.project.read", "workflow.project.watch", "workflow.task.read", "workflow.task.create", "workflow.task.update",
	"workflow.task.delete", "workflow.comment.read", "workflow.comment.create",
}}

// guest signs somebody in who has only what is assigned, decided as in a running process.
func (f *fixture) guest(assignments ...access.Assignment) (token string, userID id.ID) {
	f.t.Helper()
	return f.guestOf(nil, assignments...)
}

// guestOf is guest in an organization that has more roles.
func (f *fixture) guestOf(more []access.Role, assignments ...access.Assignment) (token string, userID id.ID) {
	f.t.Helper()
	token, userID = f.SignIn(f.organizationID, "viewer")
	for i := range assignments {
		assignments[i].ID = fmt.Sprint("assignment-", i)
		if assignments[i].RoleID == "" {
			assignments[i].RoleID = worker.ID
		}
	}
	decided, err := authz.New(authz.Config{
		Source: func(context.Context, id.ID, id.ID, int64) (authz.Answer, error) {
			return authz.Answer{Member: true, Revision: 1, RolesRevision: 1, Assignments: assignments, Roles: append([]access.Role{
				worker, {ID: "reader", Allow: []string{"workflow.project.read", "workflow.task.read"}},
				{ID: "blocked", Deny: worker.Allow},
			}, more...)}, nil
		},
		Fresh: func() bool { return true }, Clock: f.clock, Logger: pgtest.Logger(f.t), Registerer: prometheus.NewRegistry(),
	})
	require.NoError(f.t, err)
	f.Roles.Narrow(f.organizationID, userID, func(ctx context.Context, permission string, asked rpc.Asked) (call.Undecided, error) {
		return decided.AuthorizeResource(ctx, f.organizationID, userID, permission, asked)
	})
	return token, userID
}

func inProject(projectID string) access.Assignment {
	return access.Assignment{Scope: access.Scope{Kind: access.Project, ProjectID: projectID}}
}

func (f *fixture) keys(path, key, token string) []string {
	f.t.Helper()
	var found []string
	for next := ""; ; {
		page := f.must("GET", path+"?pageSize=2&pageToken="+next, token, nil)
		items, _ := page[key].([]any)
		for _, item := range items {
			found = append(found, item.(map[string]any)["key"].(string))
		}
		if next, _ = page["nextPageToken"].(string); next == "" {
			return found
		}
		require.Len(f.t, items, 2, "every page but the last is full")
	}
}

func TestGuestSeesTheirProjectsOnly(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ids := map[string]string{}
	for _, key := range []string{"AA", "BB", "CC", "DD", "EE"} {
		ids[key] = f.project(key)
	}
	seen, hidden := f.task(ids["BB"], map[string]any{}), f.task(ids["AA"], map[string]any{})
	token, _ := f.guest(inProject(ids["BB"]), inProject(ids["DD"]), inProject(ids["EE"]))
	require.Equal(t, []string{"BB", "DD", "EE"}, f.keys(f.path("/projects"), "projects", token))
	require.Equal(t, []string{"BB-1"}, f.keys(f.path("/projects/"+ids["BB"]+"/tasks"), "tasks", token))
	require.Empty(t, f.keys(f.path("/projects/"+ids["DD"]+"/tasks"), "tasks", token))

	task, other := f.path("/tasks/"+seen["id"].(string)), f.path("/tasks/"+hidden["id"].(string))
	f.must("GET", task, token, nil)
	f.must("GET", f.path("/projects/"+ids["BB"]), token, nil)
	f.must("PATCH", task, token, map[string]any{"title": "Changed"})
	f.must("POST", task+"/comments", token, map[string]any{"body": "Seen"})
	f.must("GET", task+"/comments", token, nil)
	f.must("POST", f.path("/projects/"+ids["DD"]+"/tasks"), token, map[string]any{"title": "Made"})

	before := f.count(`select count(*) from outbox`)
	for _, request := range []struct {
		method, path string
		body         any
	}{
		{"GET", other, nil},
		{"PATCH", other, map[string]any{"title": "Stolen"}},
		{"DELETE", other, nil},
		{"GET", other + "/comments", nil},
		{"POST", other + "/comments", map[string]any{"body": "Hello"}},
		{"GET", f.path("/projects/" + ids["AA"]), nil},
		{"GET", f.path("/projects/" + ids["AA"] + "/tasks"), nil},
		{"POST", f.path("/projects/" + ids["AA"] + "/tasks"), map[string]any{"title": "No"}},
		{"GET", f.path("/tasks/" + id.New().String()), nil},
	} {
		f.refused(request.method, request.path, token, request.body, http.StatusNotFound, "NOT_FOUND")
	}
	f.refused("POST", f.path("/projects"), token, map[string]any{"key": "ZZ", "displayName": "No"}, http.StatusForbidden, "PERMISSION_DENIED")
	f.refused("POST", task+":assign", token, map[string]any{"assigneeId": f.memberID.String()}, http.StatusForbidden, "PERMISSION_DENIED")
	require.Equal(t, before, f.count(`select count(*) from outbox`), "nothing was half done")
}

func TestReaderOfAllChangesOnlyTheirOwn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	projectID := f.project("WEB")
	token, userID := f.guest(
		access.Assignment{RoleID: "reader", Scope: access.Scope{Kind: access.Organization}},
		access.Assignment{Scope: access.Scope{Kind: access.Organization}, Owned: true},
	)
	others := f.task(projectID, map[string]any{})
	own := f.must("POST", f.path("/projects/"+projectID+"/tasks"), token, map[string]any{"title": "Mine"})
	require.Equal(t, userID.String(), own["reporterId"])
	f.must("PATCH", f.path("/tasks/"+own["id"].(string)), token, map[string]any{"title": "Still mine"})
	f.must("GET", f.path("/tasks/"+others["id"].(string)), token, nil)
	f.refused("PATCH", f.path("/tasks/"+others["id"].(string)), token, map[string]any{"title": "Mine now"}, http.StatusForbidden, "PERMISSION_DENIED")
	require.Equal(t, []string{"WEB-1", "WEB-2"}, f.keys(f.path("/projects/"+projectID+"/tasks"), "tasks", token))

	alone, _ := f.guest(access.Assignment{Scope: access.Scope{Kind: access.Organization}, Owned: true})
	f.refused("GET", f.path("/projects/"+projectID), alone, nil, http.StatusNotFound, "NOT_FOUND")
	require.Empty(t, f.keys(f.path("/projects"), "projects", alone))
	single, _ := f.guest(access.Assignment{Scope: access.Scope{Kind: access.OneResource, ResourceType: "task", ResourceID: others["id"].(string)}})
	require.Equal(t, []string{"WEB-1"}, f.keys(f.path("/projects/"+projectID+"/tasks"), "tasks", single))
	f.refused("GET", f.path("/projects/"+f.project("APP")+"/tasks"), single, nil, http.StatusNotFound, "NOT_FOUND")
	blocked, _ := f.guest(access.Assignment{Scope: access.Scope{Kind: access.Organization}},
		access.Assignment{RoleID: "blocked", Scope: access.Scope{Kind: access.OneResource, ResourceType: "task", ResourceID: others["id"].(string)}})
	require.Equal(t, []string{"WEB-2"}, f.keys(f.path("/projects/"+projectID+"/tasks"), "tasks", blocked))
	f.refused("GET", f.path("/tasks/"+others["id"].(string)), blocked, nil, http.StatusNotFound, "NOT_FOUND")
}

// A change that nobody has decided about is not committed, whatever the handler forgets.
func TestUndecidedChangeIsRolledBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token, userID := f.SignIn(f.organizationID, "admin")
	f.Roles.Narrow(f.organizationID, userID, func(context.Context, string, rpc.Asked) (call.Undecided, error) { return never{}, nil })
	f.refused("POST", f.path("/projects"), token, map[string]any{"key": "WEB", "displayName": "Web"}, http.StatusForbidden, "PERMISSION_DENIED")
	require.Zero(t, f.count(`select count(*) from project`))
}

// never is left undecided, because creating asks nobody.
type never struct{ call.Undecided }

func TestListOfAFewVisibleProjectsReadsOnlyThose(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, err := f.pg.Admin.Exec(t.Context(), `insert into project (organization_id, id, key, display_name, description, created_at, updated_at)
select $1, gen_random_uuid(), 'K' || n, 'Project', '', now() + n * interval '1 second', now() from generate_series(1, 100000) n`, f.organizationID)
	require.NoError(t, err)
	_, err = f.pg.Admin.Exec(t.Context(), `analyze project`)
	require.NoError(t, err)
	rows, err := f.pg.Admin.Query(t.Context(), `select id from project order by random() limit 5`)
	require.NoError(t, err)
	var assignments []access.Assignment
	for rows.Next() {
		var projectID id.ID
		require.NoError(t, rows.Scan(&projectID))
		assignments = append(assignments, inProject(projectID.String()))
	}
	token, userID := f.guest(assignments...)
	require.Len(t, f.keys(f.path("/projects"), "projects", token), 5)

	graph, err := access.NewGraph(nil, []access.Role{worker})
	require.NoError(t, err)
	for i := range assignments {
		assignments[i].RoleID = worker.ID
	}
	held, err := graph.Hold(access.Subject{ID: userID.String(), Kind: access.User}, assignments)
	require.NoError(t, err)
	reach := held.Reach(&access.Question{Permission: "workflow.project.read", Resource: &access.Resource{Type: "project"}})
	query, err := store.Projects.Parse(list.Request{Binding: []string{"plan"}})
	require.NoError(t, err)
	plan := f.planOf(func(ctx context.Context, querier pg.Querier) error {
		_, _, err := store.ListProjects(ctx, querier, query, f.organizationID, &reach)
		return err
	})
	require.Contains(t, plan, "project_pkey", plan)
	require.NotContains(t, plan, "Seq Scan", plan)
	require.NotContains(t, plan, "Rows Removed by Filter", plan)
}

// explaining notes the query that it passes on.
type explaining struct {
	pg.Querier
	sql       string
	arguments []any
}

// Query implements pg.Querier.
func (e *explaining) Query(ctx context.Context, sql string, arguments ...any) (pgx.Rows, error) {
	e.sql, e.arguments = sql, arguments
	return e.Querier.Query(ctx, sql, arguments...)
}

func (f *fixture) planOf(run func(ctx context.Context, querier pg.Querier) error) string {
	f.t.Helper()
	var plan strings.Builder
	require.NoError(f.t, f.inTx(f.memberID, func(ctx context.Context, tx *pg.Tx) error {
		recorded := &explaining{Querier: tx}
		if err := run(ctx, recorded); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "explain (analyze, costs off, timing off) "+recorded.sql, recorded.arguments...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				return err
			}
			plan.WriteString(line + "\n")
		}
		return rows.Err()
	}))
	return plan.String()
}

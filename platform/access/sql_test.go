package access_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/testkit/pgtest"
)

func isID(value string) bool {
	_, err := id.Parse(value)
	return err == nil
}

// columns are those of a table of tasks, where identifiers are of type uuid.
func columns(attribute access.Attribute) access.Column {
	return map[access.Attribute]access.Column{
		access.ResourceType: {Expression: "t.type"}, access.ResourceID: {Expression: "t.id"},
		access.ResourceProject: {Expression: "t.project_id", Type: "uuid", Holds: isID}, access.ResourceOwner: {Expression: "t.owner_id"},
	}[attribute]
}

const webID, appID = "01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8058"

func TestReachAsSQL(t *testing.T) {
	t.Parallel()
	graph := newGraph(t, access.Role{ID: "reader", Allow: []string{"read"}}, access.Role{ID: "barred", Deny: []string{"read"}},
		access.Role{ID: "sometimes", Parents: []access.Parent{
			conditional("reader", `request.secondFactor && (resource.owner in ["ben", subject.id] || now < timestamp("2020-01-01T00:00:00Z"))`),
		}})
	in := func(projectID string) access.Scope { return access.Scope{Kind: access.Project, ProjectID: projectID} }
	this := access.Scope{Kind: access.OneResource, ResourceType: "task", ResourceID: "a"}
	for name, example := range map[string]struct {
		assignments []access.Assignment
		want        string
		arguments   []any
	}{
		"everything": {[]access.Assignment{{RoleID: "reader", Scope: everywhere}, {RoleID: "reader", Scope: in(webID)}}, "true", nil},
		"nothing":    {[]access.Assignment{{RoleID: "barred", Scope: everywhere}}, "false", nil},
		"all denied": {[]access.Assignment{{RoleID: "reader", Scope: everywhere}, {RoleID: "barred", Scope: everywhere}}, "false", nil},
		"a project":  {[]access.Assignment{{RoleID: "reader", Scope: in(webID)}}, "t.project_id = $2::text::uuid", []any{webID}},
		"projects are found by one look into an index": {
			[]access.Assignment{{RoleID: "reader", Scope: in(appID)}, {RoleID: "reader", Scope: in(webID)}, {RoleID: "reader", Scope: in(webID)}},
			"t.project_id = any($2::text[]::uuid[])", []any{[]string{webID, appID}}},
		"no project at all": {[]access.Assignment{{RoleID: "reader", Scope: in("none")}}, "t.project_id <> t.project_id", nil},
		"the rest is known": {[]access.Assignment{{RoleID: "reader", Scope: this}}, "t.id = $2::text", []any{"a"}},
		"projects, one task and what is owned": {
			[]access.Assignment{{RoleID: "reader", Scope: in(webID)}, {RoleID: "reader", Scope: this}, {RoleID: "reader", Scope: everywhere, Owned: true}},
			"(t.project_id = $2::text::uuid or t.id = $3::text or t.owner_id = $4::text)", []any{webID, "a", "ada"}},
		"own things of a project": {[]access.Assignment{{RoleID: "reader", Scope: in(webID), Owned: true}},
			"(t.project_id = $2::text::uuid and t.owner_id = $3::text)", []any{webID, "ada"}},
		"residual of an inheritance": {[]access.Assignment{{RoleID: "sometimes", Scope: everywhere}},
			"t.owner_id = any($2::text[])", []any{[]string{"ada", "ben"}}},
		"less what is denied": {
			[]access.Assignment{{RoleID: "reader", Scope: everywhere}, {RoleID: "barred", Scope: in(webID), Condition: `!(resource.owner == "ben")`}},
			"not (((t.project_id = $2::text::uuid) is true and (not (t.owner_id = $3::text)) is not false))", []any{webID, "ben"}},
		"what isn't known stays so": {
			[]access.Assignment{{RoleID: "reader", Scope: everywhere, Condition: `resource.owner == "ben" || inNetwork(request.address, "10.0.0.0/8")`}},
			"(t.owner_id = $2::text or null::boolean)", []any{"ben"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			holdings, err := graph.Hold(access.Subject{ID: "ada", Kind: access.User}, example.assignments)
			require.NoError(t, err)
			reach := holdings.Reach(&access.Question{
				Permission: "read", Now: start, Login: access.Login{Factor: access.OTP, SecondFactor: true}, Resource: &access.Resource{Type: "task"},
			})
			text, arguments := reach.SQL(columns, []any{"organization"})
			require.Equal(t, example.want, text)
			require.Equal(t, append([]any{"organization"}, example.arguments...), arguments)
			require.Equal(t, example.want == "true", reach.Everything())
			require.Equal(t, example.want == "false", reach.Nothing())
		})
	}
}

// TestDatabaseFindsWhatIsAllowed lets PostgreSQL filter all resources that a world knows by the reach of random worlds.
func TestDatabaseFindsWhatIsAllowed(t *testing.T) {
	t.Parallel()
	// In the database some identifiers are of type uuid, and none can be anything else.
	ids := map[string]string{"web": webID, "app": appID, "ops": id.New().String()}
	var resources []*access.Resource
	for _, kind := range []string{"", "task", "page"} {
		for _, name := range []string{"", "a", "b"} {
			for _, project := range []string{"", "web", "app", "ops"} {
				for _, owner := range []string{"", "ada", "ben", "bot"} {
					resources = append(resources, &access.Resource{Type: kind, ID: name, ProjectID: project, OwnerID: owner})
				}
			}
		}
	}
	pool := pgtest.Create(t, "access").Admin
	_, err := pool.Exec(t.Context(), "create table resource (number int, type text, id text, project_id uuid, owner_id text)")
	require.NoError(t, err)
	for number, resource := range resources {
		_, err := pool.Exec(t.Context(), "insert into resource values ($1, nullif($2, ''), nullif($3, ''), nullif($4, '')::uuid, nullif($5, ''))",
			number, resource.Type, resource.ID, ids[resource.ProjectID], resource.OwnerID)
		require.NoError(t, err)
	}
	// The worlds call projects by name; the column has identifiers.
	named := "(select name from (values ($$web$$, '" + ids["web"] + "'::uuid), ('app', '" + ids["app"] + "'), ('ops', '" + ids["ops"] + "')) v (name, id) where v.id = t.project_id)"
	column := func(attribute access.Attribute) access.Column {
		if attribute == access.ResourceProject {
			return access.Column{Expression: named, Holds: func(value string) bool { return ids[value] != "" }}
		}
		return columns(attribute)
	}
	seed, found := uint64(time.Now().UnixNano()), 0
	for number := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, number))
		w := newWorld(t, random, sharedLanguage())
		question := newQuestion(random)
		question.Resource = nil
		text, arguments := w.holdings.Reach(question).SQL(column, nil)
		about := fmt.Sprintf("world %d of seed %d\n%vquestion %+v\n%s %v", number, seed, w, *question, text, arguments)
		var want []int32
		for number, resource := range resources {
			single := *question
			single.Resource = resource
			if (naive{w}).decides(&single) {
				want = append(want, int32(number))
			}
		}
		var got []int32
		row := pool.QueryRow(t.Context(), "select array_agg(number order by number) from resource t where "+text, arguments...)
		require.NoError(t, row.Scan(&got), about)
		require.Equal(t, want, got, about)
		found += len(got)
	}
	require.Positive(t, found)
}

// TestDatabaseTakesIdentifiers: the casts that Column asks for are PostgreSQL's own.
func TestDatabaseTakesIdentifiers(t *testing.T) {
	t.Parallel()
	graph := newGraph(t, access.Role{ID: "reader", Allow: []string{"read"}})
	pool := pgtest.Create(t, "access").Admin
	for condition, want := range map[string]int{
		`resource.project == "` + webID + `"`:                    1,
		`resource.project in ["` + webID + `", "` + appID + `"]`: 2,
		`resource.project in ["` + webID + `", "no identifier"]`: 1,
		`resource.project == "no identifier"`:                    0,
		`resource.project != "no identifier"`:                    2,
	} {
		holdings, err := graph.Hold(access.Subject{ID: "ada", Kind: access.User}, []access.Assignment{{RoleID: "reader", Scope: everywhere, Condition: condition}})
		require.NoError(t, err)
		text, arguments := holdings.Reach(&access.Question{Permission: "read", Now: start}).SQL(columns, nil)
		var got int
		row := pool.QueryRow(t.Context(), "select count(*) from (values ('"+webID+"'::uuid), ('"+appID+"'), (null)) t (project_id) where "+text, arguments...)
		require.NoError(t, row.Scan(&got), text)
		require.Equal(t, want, got, text)
	}
}

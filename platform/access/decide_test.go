package access_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/access"
)

var basicRoles = []access.Role{
	{ID: "reader", Allow: []string{"read"}},
	{ID: "barred", Deny: []string{"read"}},
	{ID: "both", Allow: []string{"read"}, Deny: []string{"read"}},
	{ID: "barredIfStrange", Parents: []access.Parent{conditional("barred", `!inNetwork(request.address, "10.0.0.0/8")`)}},
	{ID: "heir", Parents: []access.Parent{full("reader"), full("barred")}},
}

func hold(t testing.TB, subject access.Subject, assignments ...access.Assignment) *access.Holdings {
	t.Helper()
	holdings, err := newGraph(t, basicRoles...).Hold(subject, assignments)
	require.NoError(t, err)
	return holdings
}

var ada = access.Subject{ID: "ada", Kind: access.User}

// TestWhereAssignmentsApply is the package's comment as a table. Each row is asked with an assignment that allows, and once
// more with one that denies beside another that allows everything: a denial applies likewise.
func TestWhereAssignmentsApply(t *testing.T) {
	t.Parallel()
	own := &access.Resource{Type: "task", ID: "a", ProjectID: "web", OwnerID: "ada"}
	others := &access.Resource{Type: "task", ID: "a", ProjectID: "web", OwnerID: "ben"}
	source := func(of access.Assignment) *access.Assignment {
		of.ID, of.RoleID, of.Subject = "source", "reader", access.Subject{ID: "ben", Kind: access.User}
		return &of
	}
	for name, example := range map[string]struct {
		assignment access.Assignment
		resource   *access.Resource
		want       bool
	}{
		"organization":                                {access.Assignment{Scope: everywhere}, own, true},
		"organization without a resource":             {access.Assignment{Scope: everywhere}, nil, true},
		"project":                                     {access.Assignment{Scope: web}, own, true},
		"another project":                             {access.Assignment{Scope: access.Scope{Kind: access.Project, ProjectID: "app"}}, own, false},
		"project of a resource in none":               {access.Assignment{Scope: web}, &access.Resource{Type: "task", ID: "a"}, false},
		"project without a resource":                  {access.Assignment{Scope: web}, nil, false},
		"resource":                                    {access.Assignment{Scope: task}, own, true},
		"another resource":                            {access.Assignment{Scope: task}, &access.Resource{Type: "task", ID: "b"}, false},
		"another type":                                {access.Assignment{Scope: task}, &access.Resource{Type: "page", ID: "a"}, false},
		"resource without a resource":                 {access.Assignment{Scope: task}, nil, false},
		"owned":                                       {access.Assignment{Scope: everywhere, Owned: true}, own, true},
		"owned by another":                            {access.Assignment{Scope: everywhere, Owned: true}, others, false},
		"owned by nobody":                             {access.Assignment{Scope: everywhere, Owned: true}, &access.Resource{Type: "task"}, false},
		"owned without a resource":                    {access.Assignment{Scope: everywhere, Owned: true}, nil, false},
		"owned by a member of the team":               {access.Assignment{Scope: everywhere, Owned: true, Through: "team"}, own, true},
		"owned elsewhere":                             {access.Assignment{Scope: access.Scope{Kind: access.Project, ProjectID: "app"}, Owned: true}, own, false},
		"starts now":                                  {access.Assignment{Scope: everywhere, Start: start}, own, true},
		"starts later":                                {access.Assignment{Scope: everywhere, Start: start.Add(time.Nanosecond)}, own, false},
		"expires now":                                 {access.Assignment{Scope: everywhere, Expire: start}, own, false},
		"expires later":                               {access.Assignment{Scope: everywhere, Expire: start.Add(time.Nanosecond)}, own, true},
		"condition true":                              {access.Assignment{Scope: everywhere, Condition: `resource.id == "a"`}, own, true},
		"condition false":                             {access.Assignment{Scope: everywhere, Condition: `resource.id == "b"`}, own, false},
		"delegated":                                   {access.Assignment{Scope: web, Source: source(access.Assignment{Scope: everywhere})}, own, true},
		"delegated from elsewhere":                    {access.Assignment{Scope: everywhere, Source: source(access.Assignment{Scope: access.Scope{Kind: access.Project, ProjectID: "app"}})}, own, false},
		"delegated from what has expired":             {access.Assignment{Scope: everywhere, Source: source(access.Assignment{Scope: everywhere, Expire: start})}, own, false},
		"delegated from what has not begun":           {access.Assignment{Scope: everywhere, Source: source(access.Assignment{Scope: everywhere, Start: start.Add(1)})}, own, false},
		"delegated what the grantor owns":             {access.Assignment{Scope: everywhere, Source: source(access.Assignment{Scope: everywhere, Owned: true})}, others, true},
		"delegated what the grantor doesn't own":      {access.Assignment{Scope: everywhere, Source: source(access.Assignment{Scope: everywhere, Owned: true})}, own, false},
		"delegated on a condition about the grantor":  {access.Assignment{Scope: everywhere, Source: source(access.Assignment{Scope: everywhere, Condition: `subject.id == "ben"`})}, own, true},
		"delegated on a condition that doesn't hold":  {access.Assignment{Scope: everywhere, Source: source(access.Assignment{Scope: everywhere, Condition: `subject.id == "ada"`})}, own, false},
		"delegated on a condition of either's own":    {access.Assignment{Scope: everywhere, Condition: `subject.id == "ada"`, Source: source(access.Assignment{Scope: everywhere, Condition: `subject.id == "ben"`})}, own, true},
		"delegated from what was delegated elsewhere": {access.Assignment{Scope: everywhere, Source: source(access.Assignment{Scope: everywhere, Source: source(access.Assignment{Scope: task})})}, &access.Resource{Type: "task", ID: "b"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			question := &access.Question{Permission: "read", Now: start, Resource: example.resource}
			example.assignment.ID, example.assignment.RoleID = "allowing", "reader"
			decision := hold(t, ada, example.assignment).Decide(question)
			require.Equal(t, example.want, decision.Allowed)
			if example.want {
				require.Equal(t, "allowing", decision.By.ID)
			} else {
				require.Nil(t, decision.By)
			}
			example.assignment.ID, example.assignment.RoleID = "denying", "barred"
			decision = hold(t, ada, access.Assignment{ID: "allowing", RoleID: "reader", Scope: everywhere}, example.assignment).Decide(question)
			require.Equal(t, !example.want, decision.Allowed)
			if example.want {
				require.Equal(t, "denying", decision.By.ID)
			} else {
				require.Equal(t, "allowing", decision.By.ID)
			}
		})
	}
}

func TestDenyWins(t *testing.T) {
	t.Parallel()
	for name, roles := range map[string][]string{
		"over the same role's allow": {"both"}, "over another assignment": {"reader", "barred"}, "in any order": {"barred", "reader"},
		"when both are inherited": {"heir"}, "while its condition can't be told": {"reader", "barredIfStrange"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var assignments []access.Assignment
			for _, roleID := range roles {
				assignments = append(assignments, access.Assignment{RoleID: roleID, Scope: everywhere})
			}
			require.False(t, hold(t, ada, assignments...).Decide(&access.Question{Permission: "read", Now: start}).Allowed)
		})
	}
}

func TestAllowedAreAllPermissions(t *testing.T) {
	t.Parallel()
	graph := newGraph(t, access.Role{ID: "wide", Allow: []string{"a", "b", "c"}}, access.Role{ID: "narrow", Allow: []string{"d"}, Deny: []string{"b"}})
	holdings, err := graph.Hold(ada, []access.Assignment{
		{RoleID: "wide", Scope: everywhere}, {RoleID: "narrow", Scope: access.Scope{Kind: access.Project, ProjectID: "web"}},
	})
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"a", "b", "c"}, holdings.Allowed(&access.Question{Now: start}))
	require.ElementsMatch(t, []string{"a", "c", "d"}, holdings.Allowed(&access.Question{Now: start, Resource: &access.Resource{ProjectID: "web"}}))
}

func TestHoldingsThatCannotBe(t *testing.T) {
	t.Parallel()
	endless := &access.Assignment{ID: "endless", RoleID: "reader", Scope: everywhere}
	endless.Source = endless
	graph := newGraph(t, basicRoles...)
	for want, assignment := range map[string]access.Assignment{
		"ROLE_UNKNOWN":                 {RoleID: "gone", Scope: everywhere},
		"CONDITION_INVALID":            {RoleID: "reader", Scope: everywhere, Condition: "now"},
		"more than 10 times":           *endless,
		"only operators":               {RoleID: "reader", Scope: access.Scope{Kind: access.Global}},
		"its scope {unknown":           {RoleID: "reader"},
		"its scope {project":           {RoleID: "reader", Scope: access.Scope{Kind: access.Project}},
		"its scope {resource":          {RoleID: "reader", Scope: access.Scope{Kind: access.OneResource, ResourceID: "a"}},
		"its scope {organization":      {RoleID: "reader", Scope: access.Scope{Kind: access.Organization, ProjectID: "web"}},
		"assignment source: its scope": {RoleID: "reader", Scope: everywhere, Source: &access.Assignment{ID: "source"}},
	} {
		_, err := graph.Hold(ada, []access.Assignment{{RoleID: "reader", Scope: everywhere}, assignment})
		require.ErrorContains(t, err, want)
	}
	holdings, err := graph.Hold(access.Subject{ID: "root", Kind: access.Operator}, []access.Assignment{{RoleID: "reader", Scope: access.Scope{Kind: access.Global}}})
	require.NoError(t, err)
	require.True(t, holdings.Decide(&access.Question{Permission: "read", Now: start}).Allowed)
}

// TestDecidesWithoutGarbage: what is asked with every request must not feed the collector.
func TestDecidesWithoutGarbage(t *testing.T) {
	holdings := holdLarge(t, append(projects("extra0"), access.Assignment{
		RoleID: "extra0", Scope: everywhere, Condition: `request.factor == "otp" && inNetwork(request.address, "10.0.0.0/8")`,
	})...)
	question := ask("far.thing.read")
	require.Zero(t, testing.AllocsPerRun(100, func() { holdings.Decide(question) }))
}

func TestHoldingsKeepTheirOwnCopy(t *testing.T) {
	t.Parallel()
	assignments := []access.Assignment{{RoleID: "reader", Scope: everywhere}}
	holdings := hold(t, ada, assignments...)
	assignments[0].Expire = start
	require.True(t, holdings.Decide(&access.Question{Permission: "read", Now: start}).Allowed)
}

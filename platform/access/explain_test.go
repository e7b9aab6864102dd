package access_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/access"
)

// TestExplanationNamesTheWay follows one assignment through an inheritance, with everything in the way that can be.
func TestExplanationNamesTheWay(t *testing.T) {
	t.Parallel()
	graph := newGraph(t,
		access.Role{ID: "reader", Allow: []string{"read"}},
		access.Role{ID: "guest", Parents: []access.Parent{conditional("reader", "request.secondFactor")}},
		access.Role{ID: "temp", Parents: []access.Parent{partial("guest", "read"), partial("guest", "write")}},
	)
	source := access.Assignment{
		ID: "source", RoleID: "reader", Subject: access.Subject{ID: "ben"}, Owned: true, Start: start.Add(time.Hour),
		Scope: access.Scope{Kind: access.Project, ProjectID: "app"}, Condition: `request.factor == "otp"`,
	}
	given := access.Assignment{ID: "given", RoleID: "temp", Scope: everywhere, Expire: start, Condition: "now.getHours() == 8", Source: &source}
	holdings, err := graph.Hold(ada, []access.Assignment{given})
	require.NoError(t, err)
	question := &access.Question{Permission: "read", Now: start, Resource: &access.Resource{ProjectID: "web", OwnerID: "ada"}, Login: access.Login{Factor: access.Password}}
	explanation := holdings.Explain(question)
	require.False(t, explanation.Allowed)
	require.Len(t, explanation.Ways, 1)
	way := explanation.Ways[0]
	require.Equal(t, []access.Step{
		{RoleID: "temp"}, {RoleID: "guest", Mode: access.Partial}, {RoleID: "reader", Mode: access.Conditional, Condition: "request.secondFactor"},
	}, way.Roles)
	require.Equal(t, &given, way.Assignment)
	require.Equal(t, []access.Obstacle{
		{Kind: access.Expired, Assignment: &given, Time: start},
		{Kind: access.ConditionFalse, Assignment: &given, Condition: given.Condition},
		{Kind: access.NotStarted, Assignment: &source, Time: source.Start},
		{Kind: access.ScopeElsewhere, Assignment: &source},
		{Kind: access.NotOwned, Assignment: &source},
		{Kind: access.ConditionFalse, Assignment: &source, Condition: source.Condition},
		{Kind: access.ConditionFalse, RoleID: "reader", Condition: "request.secondFactor"},
	}, way.Obstacles)

	require.Equal(t, []access.Condition{
		{Expression: given.Condition}, {Expression: source.Condition}, {Expression: "request.secondFactor"},
	}, way.Conditions)

	question.Login = access.Login{}
	unknown := holdings.Explain(question).Ways[0]
	require.Equal(t, access.ConditionUnknown, unknown.Obstacles[len(unknown.Obstacles)-1].Kind)
	require.Equal(t, access.Condition{Expression: "request.secondFactor", Unknown: true, Missing: []string{"request.secondFactor"}}, unknown.Conditions[2])
	require.Empty(t, holdings.Explain(&access.Question{Permission: "write", Now: start}).Ways, "no role lists it")
	require.Empty(t, holdings.Explain(&access.Question{Permission: "unheard", Now: start}).Ways)
}

func TestExplanationNamesWhatDenies(t *testing.T) {
	t.Parallel()
	holdings := hold(t, ada, access.Assignment{ID: "allowing", RoleID: "reader", Scope: everywhere},
		access.Assignment{ID: "denying", RoleID: "barredIfStrange", Scope: everywhere})
	explanation := holdings.Explain(&access.Question{Permission: "read", Now: start})
	require.False(t, explanation.Allowed)
	require.Equal(t, "denying", explanation.By.ID)
	require.Len(t, explanation.Ways, 2)
	require.True(t, explanation.Ways[0].Holds)
	require.True(t, explanation.Ways[1].Holds, "its condition can't be told, and so denies")
	require.True(t, explanation.Ways[1].Denies)
	require.Len(t, explanation.Ways[1].Conditions, 1)
	require.False(t, explanation.Ways[1].Conditions[0].Holds, "nobody knows whether it holds")
	require.True(t, explanation.Ways[1].Conditions[0].Unknown)
	require.NotEmpty(t, explanation.Ways[1].Conditions[0].Missing)
	require.Equal(t, "barred", explanation.Ways[1].Roles[1].RoleID)
}

// TestExplanationIsBounded: there are more ways through the large organization than could be told, and the one that holds
// is told first.
func TestExplanationIsBounded(t *testing.T) {
	t.Parallel()
	explanation := holdLarge(t, access.Assignment{RoleID: "extra0", Scope: everywhere}).Explain(ask("far.thing.read"))
	require.Len(t, explanation.Ways, 10)
	require.Len(t, explanation.Ways[0].Roles, 11)
	roles := []access.Role{{ID: "reader", Allow: []string{"read"}}, {ID: "heir", Parents: []access.Parent{}}}
	for range 20 {
		roles[1].Parents = append(roles[1].Parents, conditional("reader", "false"))
	}
	roles[1].Parents = append(roles[1].Parents, conditional("reader", "true"))
	holdings, err := newGraph(t, roles...).Hold(ada, []access.Assignment{{RoleID: "heir", Scope: everywhere}})
	require.NoError(t, err)
	ways := holdings.Explain(&access.Question{Permission: "read", Now: start}).Ways
	require.True(t, ways[0].Holds)
	require.Len(t, ways, 10)
	require.False(t, ways[1].Holds)
}

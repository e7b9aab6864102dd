package access_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/access"
)

// large is an organization of 200 roles in layers of 20, each with three parents in the layer below, ten steps deep. The
// role "conditional" inherits by conditions on every step, and "far" waits at the end of both.
func large(t testing.TB) *access.Graph {
	roles := []access.Role{{ID: "far", Allow: []string{"far.thing.read"}, Deny: []string{"far.thing.delete"}}}
	for number := range 180 {
		layer, place := number/20, number%20
		role := access.Role{ID: fmt.Sprintf("role%d.%d", layer, place)}
		for action := range 5 {
			role.Allow = append(role.Allow, fmt.Sprintf("service.thing%d.action%d", number, action))
		}
		for step := range 3 {
			parent := access.Parent{RoleID: "far", Mode: access.Full}
			if layer > 0 {
				parent.RoleID = fmt.Sprintf("role%d.%d", layer-1, (place+step)%20)
			}
			role.Parents = append(role.Parents, parent)
		}
		roles = append(roles, role)
	}
	conditions := []string{`request.secondFactor`, `now.getHours() >= 6 && now.getHours() < 22`, `inNetwork(request.address, "10.0.0.0/8")`}
	last := "far"
	for step := range 9 {
		id := fmt.Sprintf("conditional%d", step)
		roles = append(roles, access.Role{ID: id, Parents: []access.Parent{
			{RoleID: last, Mode: access.Conditional, Condition: conditions[step%len(conditions)]},
		}})
		last = id
	}
	for extra := range 10 {
		roles = append(roles, access.Role{ID: fmt.Sprintf("extra%d", extra), Parents: []access.Parent{{RoleID: "role8.0", Mode: access.Full}}})
	}
	require.Len(t, roles, 200)
	graph, err := access.NewGraph(nil, roles)
	require.NoError(t, err)
	return graph
}

// ask is how the benchmarks ask.
func ask(permission string) *access.Question {
	return &access.Question{
		Permission: permission, Now: start, Address: netip.MustParseAddr("10.1.2.3"),
		Resource: &access.Resource{Type: "task", ID: "a", ProjectID: "project7", OwnerID: "ada"},
		Login:    access.Login{Factor: access.Passkey, SecondFactor: true, Time: start},
	}
}

func holdLarge(t testing.TB, assignments ...access.Assignment) *access.Holdings {
	holdings, err := large(t).Hold(access.Subject{ID: "ada", Kind: access.User}, assignments)
	require.NoError(t, err)
	return holdings
}

var everywhere = access.Scope{Kind: access.Organization}

// projects are assignments to many projects, of which every question is about one.
func projects(roleID string) (assignments []access.Assignment) {
	for number := range 100 {
		assignments = append(assignments, access.Assignment{
			ID: fmt.Sprint(number), RoleID: roleID, Scope: access.Scope{Kind: access.Project, ProjectID: fmt.Sprintf("project%d", number)},
		})
	}
	return assignments
}

func BenchmarkDecide(b *testing.B) {
	condition := `request.secondFactor && inNetwork(request.address, "10.0.0.0/8")`
	for _, example := range []struct {
		name        string
		assignments []access.Assignment
		want        bool
	}{
		{"organization", []access.Assignment{{RoleID: "extra0", Scope: everywhere}}, true},
		{"oneOf100Projects", projects("extra0"), true},
		{"denied", []access.Assignment{{RoleID: "extra0", Scope: access.Scope{Kind: access.Project, ProjectID: "other"}}}, false},
		{"assignmentCondition", []access.Assignment{{RoleID: "extra0", Scope: everywhere, Condition: `request.factor in ["passkey"] && inNetwork(request.address, "10.0.0.0/8")`}}, true},
		{"assignmentConditionOfCEL", []access.Assignment{{RoleID: "extra0", Scope: everywhere, Condition: condition + ` && now - request.loginTime < duration("1h")`}}, true},
		{"inheritanceCondition", []access.Assignment{{RoleID: "conditional0", Scope: everywhere}}, true},
		{"nineInheritanceConditions", []access.Assignment{{RoleID: "conditional8", Scope: everywhere}}, true},
	} {
		b.Run(example.name, func(b *testing.B) {
			holdings, question := holdLarge(b, example.assignments...), ask("far.thing.read")
			require.Equal(b, example.want, holdings.Decide(question).Allowed)
			b.ReportAllocs()
			for b.Loop() {
				holdings.Decide(question)
			}
		})
	}
}

// BenchmarkDecideWorst asks where each of 600 inheritances has a condition of its own, and none holds: every role, edge
// and condition on the way up must be looked at, but none twice, though there are 3^10 ways.
func BenchmarkDecideWorst(b *testing.B) {
	roles := []access.Role{{ID: "far", Deny: []string{"read"}}}
	for number := range 199 {
		layer, place := number/20, number%20
		role := access.Role{ID: fmt.Sprintf("role%d.%d", layer, place), Allow: []string{"read"}}
		for step := range 3 {
			id := "far"
			if layer > 0 {
				id = fmt.Sprintf("role%d.%d", layer-1, (place+step)%20)
			}
			condition := fmt.Sprintf(`request.factor == "none%d" || inNetwork(request.address, "192.168.%d.0/24")`, number*3+step, step)
			role.Parents = append(role.Parents, access.Parent{RoleID: id, Mode: access.Conditional, Condition: condition})
		}
		roles = append(roles, role)
	}
	graph, err := access.NewGraph(nil, roles)
	require.NoError(b, err)
	holdings, err := graph.Hold(access.Subject{ID: "ada", Kind: access.User}, []access.Assignment{{RoleID: "role9.0", Scope: everywhere}})
	require.NoError(b, err)
	question := ask("read")
	require.True(b, holdings.Decide(question).Allowed)
	b.ReportAllocs()
	for b.Loop() {
		holdings.Decide(question)
	}
}

func BenchmarkReach(b *testing.B) {
	for _, example := range []struct {
		name        string
		assignments []access.Assignment
	}{
		{"organization", []access.Assignment{{RoleID: "extra0", Scope: everywhere}}},
		{"100projects", projects("extra0")},
		{"owned", []access.Assignment{{RoleID: "extra0", Scope: everywhere, Owned: true, Condition: `resource.project != "secret"`}}},
	} {
		b.Run(example.name, func(b *testing.B) {
			holdings, question := holdLarge(b, example.assignments...), ask("far.thing.read")
			question.Resource = &access.Resource{Type: "task"}
			require.False(b, holdings.Reach(question).Nothing())
			b.ReportAllocs()
			for b.Loop() {
				holdings.Reach(question)
			}
		})
	}
}

func BenchmarkHold(b *testing.B) {
	graph := large(b)
	for _, count := range []int{1, 100} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			assignments := projects("role8.0")[:count]
			b.ReportAllocs()
			for b.Loop() {
				if _, err := graph.Hold(access.Subject{ID: "ada", Kind: access.User}, assignments); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNewGraph(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		large(b)
	}
}

func BenchmarkExplain(b *testing.B) {
	holdings, question := holdLarge(b, access.Assignment{RoleID: "extra0", Scope: everywhere}), ask("far.thing.read")
	b.ReportAllocs()
	for b.Loop() {
		holdings.Explain(question)
	}
}

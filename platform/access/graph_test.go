package access_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/errs"
)

func full(id string) access.Parent { return access.Parent{RoleID: id, Mode: access.Full} }

func partial(id string, permissions ...string) access.Parent {
	return access.Parent{RoleID: id, Mode: access.Partial, Permissions: permissions}
}

func conditional(id, condition string) access.Parent {
	return access.Parent{RoleID: id, Mode: access.Conditional, Condition: condition}
}

func newGraph(t testing.TB, roles ...access.Role) *access.Graph {
	t.Helper()
	graph, err := access.NewGraph(nil, roles)
	require.NoError(t, err)
	return graph
}

func TestWhatRolesInherit(t *testing.T) {
	t.Parallel()
	parent := access.Role{ID: "parent", Allow: []string{"read", "write"}, Deny: []string{"delete", "share"}, Parents: []access.Parent{full("grandparent")}}
	grandparent := access.Role{ID: "grandparent", Allow: []string{"list"}}
	for name, example := range map[string]struct {
		parents []access.Parent
		want    access.Permissions
	}{
		"nothing": {nil, access.Permissions{Allow: []string{"own"}}},
		"full passes all that the parent allows and denies": {[]access.Parent{full("parent")},
			access.Permissions{Allow: []string{"list", "own", "read", "write"}, Deny: []string{"delete", "share"}}},
		"partial passes what is named": {[]access.Parent{partial("parent", "read", "list", "share", "unheard")},
			access.Permissions{Allow: []string{"list", "own", "read"}, Deny: []string{"share"}}},
		"conditional passes all perhaps": {[]access.Parent{conditional("parent", "request.secondFactor")},
			access.Permissions{Allow: []string{"own"}, AllowConditionally: []string{"list", "read", "write"}, DenyConditionally: []string{"delete", "share"}}},
		"what is held anyway needs no condition": {[]access.Parent{conditional("parent", "request.secondFactor"), partial("parent", "read", "share")},
			access.Permissions{Allow: []string{"own", "read"}, AllowConditionally: []string{"list", "write"}, Deny: []string{"share"}, DenyConditionally: []string{"delete"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Children first: the order of roles doesn't matter.
			graph := newGraph(t, access.Role{ID: "child", Allow: []string{"own"}, Parents: example.parents}, parent, grandparent)
			got, found := graph.Permissions("child")
			require.True(t, found)
			require.Equal(t, example.want, got)
		})
	}
}

func TestGraphStandsOnItsBase(t *testing.T) {
	t.Parallel()
	base := newGraph(t, access.Role{ID: "viewer", Allow: []string{"read"}})
	one, err := access.NewGraph(base, []access.Role{{ID: "own", Allow: []string{"custom"}, Parents: []access.Parent{conditional("viewer", "true")}}})
	require.NoError(t, err)
	other, err := access.NewGraph(base, nil)
	require.NoError(t, err)

	require.Equal(t, []access.Holder{{RoleID: "viewer"}, {RoleID: "own", Conditional: true}}, one.Holders("read"))
	require.Equal(t, []access.Holder{{RoleID: "own"}}, one.Holders("custom"))
	require.Equal(t, []access.Holder{{RoleID: "viewer"}}, other.Holders("read"))
	require.Empty(t, other.Holders("custom"), "another organization's")
	_, found := other.Permissions("own")
	require.False(t, found)

	_, err = access.NewGraph(base, []access.Role{{ID: "viewer", Allow: []string{"everything"}}})
	require.ErrorContains(t, err, "there are two", "no system role can be replaced")
	_, err = access.NewGraph(nil, []access.Role{{ID: "twin"}, {ID: "twin"}})
	require.ErrorContains(t, err, "there are two")
}

func TestGraphsThatCannotBe(t *testing.T) {
	t.Parallel()
	chain := []access.Role{{ID: "0"}}
	for step := range access.MaxDepth {
		chain = append(chain, access.Role{ID: fmt.Sprint(step + 1), Parents: []access.Parent{full(fmt.Sprint(step))}})
	}
	newGraph(t, chain...)
	// Two ways at each of ten steps, with a comparison on each: more than a thousand in a filter.
	var lattice []access.Role
	for step := range access.MaxDepth {
		role := access.Role{ID: fmt.Sprint(step)}
		for _, owner := range []string{"ada", "ben"} {
			if step > 0 {
				role.Parents = append(role.Parents, conditional(fmt.Sprint(step-1), `resource.owner == "`+owner+`"`))
			}
		}
		lattice = append(lattice, role)
	}
	for name, example := range map[string]struct {
		roles []access.Role
		want  *errs.Error
		says  map[string]string
	}{
		"own parent": {[]access.Role{{ID: "a", Parents: []access.Parent{full("a")}}}, access.ErrRoleCycle, map[string]string{"cycle": "a → a"}},
		"cycle": {[]access.Role{
			{ID: "x", Parents: []access.Parent{full("a")}}, {ID: "a", Parents: []access.Parent{full("b")}},
			{ID: "b", Parents: []access.Parent{partial("c")}}, {ID: "c", Parents: []access.Parent{conditional("a", "true")}},
		}, access.ErrRoleCycle, map[string]string{"cycle": "a → b → c → a"}},
		"too deep": {append([]access.Role{{ID: "top", Parents: []access.Parent{full("3"), full("10")}}}, chain...), access.ErrRoleTooDeep,
			map[string]string{"role": "top", "path": "top → 10 → 9 → 8 → 7 → 6 → 5 → 4 → 3 → 2 → 1 → 0"}},
		"too complex": {lattice, access.ErrRoleTooComplex, map[string]string{"role": "9"}},
		"unknown":     {[]access.Role{{ID: "a", Parents: []access.Parent{full("gone")}}}, access.ErrRoleUnknown, map[string]string{"role": "gone"}},
		"condition": {[]access.Role{{ID: "b"}, {ID: "a", Parents: []access.Parent{conditional("b", "now +")}}}, access.ErrConditionInvalid,
			map[string]string{"role": "a", "parent": "b"}},
		"no condition": {[]access.Role{{ID: "b"}, {ID: "a", Parents: []access.Parent{conditional("b", "")}}}, access.ErrConditionInvalid, nil},
		"no mode":      {[]access.Role{{ID: "b"}, {ID: "a", Parents: []access.Parent{{RoleID: "b"}}}}, errs.New(errs.Internal, "INTERNAL", ""), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := access.NewGraph(nil, example.roles)
			require.ErrorIs(t, errs.From(err), example.want)
			for key, value := range example.says {
				require.Equal(t, value, errs.From(err).Metadata[key], key)
			}
		})
	}
}

package organization

import (
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/gen/go/braid/organization/v1/organizationv1connect"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/testkit/pgtest"
)

func TestRolesFollowTheContract(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	answer := bundle.REST("GET", path+"/roles", ada.token, nil)
	require.Equal(t, 200, answer.Status, answer.Text)
	var ids []string
	for _, listed := range answer.Body["roles"].([]any) {
		role := listed.(map[string]any)
		ids = append(ids, role["id"].(string))
		require.Equal(t, true, role["system"])
		require.NotEmpty(t, role["displayName"])
	}
	require.Equal(t, rpc.SystemRoles, ids)

	catalog, err := rpc.Catalog()
	require.NoError(t, err)
	var all []string
	for _, method := range catalog {
		if method.Permission != "" {
			all = append(all, method.Permission)
		}
	}
	slices.Sort(all)
	owner, err := rolesOfContract()
	require.NoError(t, err)
	require.Equal(t, slices.Compact(all), owner.Permissions([]string{"owner"}))
	require.Contains(t, owner.Permissions([]string{"viewer"}), "workflow.task.read", "permissions of every service")
	require.NotContains(t, owner.Permissions([]string{"member"}), "organization.member.remove")

	var paged []string
	token := ""
	for range 10 {
		page := bundle.REST("GET", path+"/roles?pageSize=3&pageToken="+token, ada.token, nil)
		for _, listed := range page.Body["roles"].([]any) {
			paged = append(paged, listed.(map[string]any)["id"].(string))
		}
		if token, _ = page.Body["nextPageToken"].(string); token == "" {
			break
		}
	}
	require.Equal(t, ids, paged)
	require.Equal(t, "PAGE_TOKEN_INVALID", bundle.REST("GET", path+"/roles?pageToken=made-up", ada.token, nil).Reason())
}

func TestCheckAccess(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, eve := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("eve")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "viewer")
	for name, test := range map[string]struct {
		body    map[string]any
		allowed bool
		reason  string
	}{
		"the caller":            {map[string]any{"permission": "organization.member.remove"}, true, "role:owner"},
		"a member who may":      {map[string]any{"permission": "organization.member.read", "userId": ben.UserID.String()}, true, "role:viewer"},
		"a member who may not":  {map[string]any{"permission": "organization.member.remove", "userId": ben.UserID.String()}, false, "no_role_with_permission"},
		"an outsider":           {map[string]any{"permission": "organization.member.read", "userId": eve.UserID.String()}, false, "not_a_member"},
		"an unknown permission": {map[string]any{"permission": "workflow.task.juggle"}, false, "unknown_permission"},
	} {
		answer := bundle.REST("POST", path+"/access:check", ada.token, test.body)
		require.Equal(t, 200, answer.Status, answer.Text)
		require.Equal(t, test.reason, answer.Body["reason"], name)
		allowed, _ := answer.Body["allowed"].(bool)
		require.Equal(t, test.allowed, allowed, name)
	}
	require.Equal(t, 404, bundle.REST("POST", path+"/access:check", eve.token, map[string]any{"permission": "organization.member.read"}).Status)
	require.Equal(t, 400, bundle.REST("POST", path+"/access:check", ada.token, map[string]any{"permission": "everything"}).Status)
}

// What was granted a moment ago is remembered, and costs the database nothing; what changes is seen at once by the
// process that made the change; and nothing is remembered by one that may have missed a change of another.
func TestCheckAccessFromMemory(t *testing.T) {
	t.Parallel()
	database := pgtest.Create(t, Name, Migrations()...)
	wire, url := pgtest.Tap(t, database.URL)
	bundle := assemble(t, database, pgtest.OpenDB(t, pg.Config{Service: Name, URL: url}, prometheus.NewRegistry()))
	ada, ben, eve := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("eve")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "member")
	// check asks for the permission to update tasks, and returns the answer with what it cost.
	check := func(asking person, about string) (reason string, statements int) {
		executed := wire.During(func() {
			answer := bundle.REST("POST", path+"/access:check", asking.token, map[string]any{"permission": "workflow.task.update", "userId": about})
			require.Equal(t, 200, answer.Status, answer.Text)
			reason, _ = answer.Body["reason"].(string)
		})
		return reason, len(executed)
	}
	requireCheck := func(asking person, about, wanted string, remembered bool) {
		t.Helper()
		reason, statements := check(asking, about)
		require.Equal(t, wanted, reason)
		require.Equal(t, remembered, statements == 0, "%d statements", statements)
	}
	change := func(method string, body any) {
		t.Helper()
		answer := bundle.REST(method, memberPath(path, ben), ada.token, body)
		require.Equal(t, 200, answer.Status, answer.Text)
	}
	others := ben.UserID.String()
	for _, about := range []string{"", others} {
		asking := map[string]person{"": ben, others: ada}[about]
		bundle.access.Clear()
		requireCheck(asking, about, "role:member", false)
		requireCheck(asking, about, "role:member", true)
		bundle.stale.Store(true)
		requireCheck(asking, about, "role:member", false)
		bundle.stale.Store(false)
		requireCheck(asking, about, "role:member", true)

		change("PATCH", map[string]any{"roleIds": []string{"viewer"}})
		requireCheck(asking, about, "no_role_with_permission", false)
		requireCheck(asking, about, "no_role_with_permission", false)
		change("PATCH", map[string]any{"roleIds": []string{"viewer", "admin"}})
		requireCheck(asking, about, "role:admin", false)
		requireCheck(asking, about, "role:admin", true)
		change("PATCH", map[string]any{"roleIds": []string{"member"}})
	}
	change("DELETE", nil)
	requireCheck(ada, others, "not_a_member", false)
	requireCheck(ada, eve.UserID.String(), "not_a_member", false)
	bundle.join(t, ada, path, ben, "member")
	requireCheck(ada, others, "role:member", false)

	unknown := wire.During(func() {
		answer := bundle.REST("POST", path+"/access:check", ada.token, map[string]any{"permission": "workflow.task.juggle"})
		require.Equal(t, "unknown_permission", answer.Body["reason"])
	})
	require.Empty(t, unknown, "what nobody can hold needs no looking up")
}

func TestGetEffectivePermissions(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "member")
	bundle.Tokens.Service("workflow-token", "workflow")
	client := organizationv1connect.NewAccessServiceClient(bundle.As("workflow-token"))
	ask := func(organizationID, userID id.ID) *organizationv1.GetEffectivePermissionsResponse {
		answer, err := client.GetEffectivePermissions(t.Context(), &organizationv1.GetEffectivePermissionsRequest{
			OrganizationId: organizationID.String(), UserId: userID.String(),
		})
		require.NoError(t, err)
		return answer
	}
	roles, err := rolesOfContract()
	require.NoError(t, err)
	require.True(t, ask(organizationID, ada.UserID).GetMember())
	require.Equal(t, roles.Permissions([]string{"owner"}), ask(organizationID, ada.UserID).GetPermissions())
	require.Equal(t, []string{"owner"}, ask(organizationID, ada.UserID).GetRoleIds())
	require.Equal(t, roles.Permissions([]string{"member"}), ask(organizationID, ben.UserID).GetPermissions())
	for _, nobody := range [][2]id.ID{{organizationID, id.New()}, {id.New(), ada.UserID}} {
		answer := ask(nobody[0], nobody[1])
		require.False(t, answer.GetMember())
		require.Empty(t, answer.GetPermissions())
		require.Empty(t, answer.GetRoleIds())
	}
	_, err = organizationv1connect.NewAccessServiceClient(bundle.As(ada.token)).GetEffectivePermissions(t.Context(),
		&organizationv1.GetEffectivePermissionsRequest{OrganizationId: organizationID.String(), UserId: ada.UserID.String()})
	require.ErrorContains(t, err, "unauthenticated")
}

package organization

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/testkit/rpctest"
)

// object is a JSON object.
type object = map[string]any

// role makes a role and returns its id.
func (b *testBundle) role(t *testing.T, maker person, path string, content object) string {
	t.Helper()
	if content["displayName"] == nil {
		content["displayName"] = "Role"
	}
	answer := b.REST("POST", path+"/roles", maker.token, content)
	require.Equal(t, 200, answer.Status, answer.Text)
	return answer.Body["id"].(string)
}

func full(roleID string) object { return object{"roleId": roleID, "inheritance": "FULL"} }

func TestARoleIsMadeChangedAndRemoved(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	bundle.takeEvents(t)
	created := bundle.REST("POST", path+"/roles", ada.token, object{
		"displayName": " Release manager ", "permissions": []string{"workflow.task.update", "workflow.task.read"},
		"parents": []object{{"roleId": "viewer", "inheritance": "PARTIAL", "permissions": []string{"workflow.project.read"}}},
	})
	require.Equal(t, 200, created.Status, created.Text)
	require.Equal(t, "Release manager", created.Body["displayName"])
	require.Equal(t, []any{"workflow.task.read", "workflow.task.update"}, created.Body["permissions"], "sorted")
	require.EqualValues(t, 1, created.Body["version"])
	require.Equal(t, "2", created.Body["accessRevision"])
	require.Equal(t, "2", created.Header.Get("X-Access-Revision"))
	roleID := created.Body["id"].(string)
	events := bundle.takeEvents(t)
	require.Equal(t, []string{"organization.role.created"}, types(events))
	told := events[0].Payload.(*organizationv1.RoleCreated)
	require.EqualValues(t, 2, told.GetAccessRevision())
	require.Equal(t, []string{"workflow.task.read", "workflow.task.update"}, told.GetRole().GetPermissions())

	read := bundle.REST("GET", path+"/roles/"+roleID, ada.token, nil)
	require.Equal(t, created.Body["displayName"], read.Body["displayName"])
	require.Equal(t, "admin", bundle.REST("GET", path+"/roles/admin", ada.token, nil).Body["id"])

	updated := bundle.REST("PATCH", path+"/roles/"+roleID, ada.token, object{"description": "Ships.", "etag": created.Body["etag"]})
	require.Equal(t, 200, updated.Status, updated.Text)
	require.Equal(t, created.Body["permissions"], updated.Body["permissions"], "the rest stays")
	require.EqualValues(t, 2, updated.Body["version"])
	stale := bundle.REST("PATCH", path+"/roles/"+roleID, ada.token, object{"description": "Sinks.", "etag": created.Body["etag"]})
	require.Equal(t, "ETAG_MISMATCH", stale.Reason())
	same := bundle.REST("PATCH", path+"/roles/"+roleID, ada.token, object{"description": "Ships."})
	require.Equal(t, updated.Body, same.Body, "nothing changed, not even the revision")
	require.Equal(t, []string{"organization.role.updated"}, types(bundle.takeEvents(t)))

	gone := bundle.REST("DELETE", path+"/roles/"+roleID, ada.token, nil)
	require.Equal(t, 200, gone.Status, gone.Text)
	require.Equal(t, "4", gone.Body["accessRevision"])
	require.Equal(t, 404, bundle.REST("GET", path+"/roles/"+roleID, ada.token, nil).Status)
	require.Equal(t, []string{"organization.role.deleted"}, types(bundle.takeEvents(t)))
}

func TestARoleThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	parent := func(of object) object { return object{"displayName": "x", "parents": []object{of}} }
	for name, test := range map[string]struct {
		role   object
		reason string
		field  string
	}{
		"no name":                     {object{"displayName": " "}, "INVALID_ARGUMENT", "displayName"},
		"an unknown permission":       {object{"displayName": "x", "permissions": []string{"workflow.task.juggle"}}, "PERMISSION_UNKNOWN", "permissions"},
		"an unknown one denied":       {object{"displayName": "x", "deniedPermissions": []string{"payroll.run.start"}}, "PERMISSION_UNKNOWN", "deniedPermissions"},
		"an unknown parent":           {parent(full(id.New().String())), "ROLE_UNKNOWN", "parents[0].roleId"},
		"a role that is not theirs":   {parent(full("owner.own")), "ROLE_UNKNOWN", "parents[0].roleId"},
		"partial without permissions": {parent(object{"roleId": "viewer", "inheritance": "PARTIAL"}), "INVALID_ARGUMENT", "parents[0].permissions"},
		"partial of an unknown one":   {parent(object{"roleId": "viewer", "inheritance": "PARTIAL", "permissions": []string{"a.b.c"}}), "PERMISSION_UNKNOWN", "parents[0].permissions"},
		"full with a condition":       {parent(object{"roleId": "viewer", "inheritance": "FULL", "condition": "true"}), "INVALID_ARGUMENT", "parents[0].condition"},
		"a parent twice":              {object{"displayName": "x", "parents": []object{full("viewer"), full("viewer")}}, "INVALID_ARGUMENT", "parents[1].roleId"},
		"a condition that is none":    {parent(object{"roleId": "viewer", "inheritance": "CONDITIONAL", "condition": "now >"}), "CONDITION_INVALID", "parents[0].condition"},
	} {
		answer := bundle.REST("POST", path+"/roles", ada.token, test.role)
		require.Equal(t, 400, answer.Status, "%s: %s", name, answer.Text)
		require.Equal(t, test.reason, answer.Reason(), name)
		require.Len(t, answer.Fields(), 1, name)
		require.Equal(t, test.field, answer.Fields()[0], name)
		if test.reason == "CONDITION_INVALID" {
			require.NotEmpty(t, answer.Metadata()["position"])
		}
	}
	for name, request := range map[string][2]string{
		"change": {"PATCH", "/roles/admin"}, "remove": {"DELETE", "/roles/admin"}, "restore": {"POST", "/roles/admin:restore"},
	} {
		var body any = object{"version": 1}
		if request[0] == "PATCH" {
			body = object{"description": "mine"}
		}
		if request[0] == "DELETE" {
			body = nil
		}
		require.Equal(t, "ROLE_FIXED", bundle.REST(request[0], path+request[1], ada.token, body).Reason(), name)
	}
	require.Empty(t, bundle.REST("GET", path+"/roles/admin/versions", ada.token, nil).Body["versions"])
	require.Equal(t, 404, bundle.REST("PATCH", path+"/roles/"+id.New().String(), ada.token, object{"description": "x"}).Status)
	require.Equal(t, 404, bundle.REST("PATCH", path+"/roles/nothing", ada.token, object{"description": "x"}).Status)
}

func TestRolesInheritWithoutCyclesAndNotTooDeep(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	chain := []string{bundle.role(t, ada, path, object{})}
	for range 10 {
		chain = append(chain, bundle.role(t, ada, path, object{"parents": []object{full(chain[len(chain)-1])}}))
	}
	deep := bundle.REST("POST", path+"/roles", ada.token, object{"displayName": "x", "parents": []object{full(chain[10])}})
	require.Equal(t, "ROLE_TOO_DEEP", deep.Reason(), deep.Text)
	require.NotEmpty(t, deep.Metadata()["path"])
	round := bundle.REST("PATCH", path+"/roles/"+chain[0], ada.token, object{"parents": []object{full(chain[2])}})
	require.Equal(t, 409, round.Status, round.Text)
	require.Equal(t, "ROLE_CYCLE", round.Reason())
	require.Contains(t, round.Metadata()["cycle"], chain[1])
	itself := bundle.REST("PATCH", path+"/roles/"+chain[0], ada.token, object{"parents": []object{full(chain[0])}})
	require.Equal(t, "ROLE_CYCLE", itself.Reason(), itself.Text)
}

// Each of two changes is fine by itself; together they would go round.
func TestTwoChangesDoNotMakeACycleTogether(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	organizationID, path := bundle.found(t, ada, "Acme")
	one, other := bundle.role(t, ada, path, object{}), bundle.role(t, ada, path, object{})
	inherit := func(child, parent string) work {
		return func(ctx context.Context, tx *pg.Tx) error {
			_, err := bundle.app.UpdateRole(ctx, tx, organizationID, child, "", func(content *domain.RoleContent) {
				content.Parents = []domain.Parent{{RoleID: parent, Inheritance: domain.Full}}
			})
			return err
		}
	}
	first, second := bundle.collide(t, organizationID, ada, inherit(one, other), ada, inherit(other, one))
	require.NoError(t, first)
	require.ErrorIs(t, second, domain.ErrRoleCycle)
}

func TestARoleInUseStays(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "viewer")
	used := bundle.role(t, ada, path, object{"permissions": []string{"workflow.task.read"}})
	refused := func(key, value string) {
		t.Helper()
		answer := bundle.REST("DELETE", path+"/roles/"+used, ada.token, nil)
		require.Equal(t, 409, answer.Status, answer.Text)
		require.Equal(t, "ROLE_IN_USE", answer.Reason())
		require.Equal(t, object{key: value}, answer.Metadata())
	}
	child := bundle.role(t, ada, path, object{"parents": []object{full(used)}})
	refused("roleIds", child)
	require.Equal(t, 200, bundle.REST("DELETE", path+"/roles/"+child, ada.token, nil).Status)

	change := func(roleIDs ...string) {
		t.Helper()
		answer := bundle.REST("PATCH", memberPath(path, ben), ada.token, object{"roleIds": roleIDs})
		require.Equal(t, 200, answer.Status, answer.Text)
	}
	change("viewer", used)
	refused("memberCount", "1")
	change("viewer")

	assignment := bundle.assign(t, ada, path, ben, object{"roleId": used})
	refused("assignmentIds", assignment)
	require.Equal(t, 200, bundle.REST("DELETE", path+"/assignments/"+assignment, ada.token, nil).Status)

	invitation, _ := bundle.invite(t, ada, path, "cleo@example.com", used)
	refused("invitationIds", invitation.String())
	bundle.clock.Advance(8 * 24 * time.Hour)
	require.Equal(t, 200, bundle.REST("DELETE", path+"/roles/"+used, ada.token, nil).Status, "the invitation has expired")

	raced := bundle.role(t, ada, path, object{"permissions": []string{"workflow.task.read"}})
	removed, given := bundle.collide(t, organizationID, ada, func(ctx context.Context, tx *pg.Tx) error {
		_, err := bundle.app.DeleteRole(ctx, tx, organizationID, raced)
		return err
	}, ada, func(ctx context.Context, tx *pg.Tx) error {
		_, err := bundle.app.CreateAssignment(ctx, tx, domain.Assignment{
			OrganizationID: organizationID, Subject: domain.Subject{Type: domain.User, ID: ben.UserID}, RoleID: raced,
			Scope: domain.Scope{Type: domain.InOrganization},
		})
		return err
	})
	require.NoError(t, removed)
	require.ErrorIs(t, given, domain.ErrRoleUnknown)
}

func TestVersionsTellWhatDiffersAndAreRestored(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "admin")
	roleID := bundle.role(t, ada, path, object{"displayName": "One", "permissions": []string{"workflow.task.read"}})
	roles := path + "/roles/" + roleID
	for _, change := range []object{
		{"displayName": "Two", "permissions": []string{"workflow.task.create", "workflow.task.read"}},
		{"permissions": []string{"workflow.task.create"}, "parents": []object{full("viewer")}},
	} {
		bundle.clock.Advance(time.Minute)
		require.Equal(t, 200, bundle.REST("PATCH", roles, ben.token, change).Status)
	}
	versions := []any{}
	for token := ""; ; {
		answer := bundle.REST("GET", roles+"/versions?pageSize=2&pageToken="+token, ada.token, nil)
		require.Equal(t, 200, answer.Status, answer.Text)
		versions = append(versions, answer.Body["versions"].([]any)...)
		if token, _ = answer.Body["nextPageToken"].(string); token == "" {
			break
		}
	}
	require.Len(t, versions, 3)
	newest, first := versions[0].(object), versions[2].(object)
	require.Equal(t, ben.UserID.String(), newest["authorId"])
	require.Equal(t, ada.UserID.String(), first["authorId"])
	require.Equal(t, []any{
		object{"field": "permissions", "added": []any{}, "removed": []any{"workflow.task.read"}},
		object{"field": "parents", "added": []any{"full viewer"}, "removed": []any{}},
	}, newest["differences"])
	require.Equal(t, []any{
		object{"field": "displayName", "added": []any{"Two"}, "removed": []any{"One"}},
		object{"field": "permissions", "added": []any{"workflow.task.create"}, "removed": []any{}},
	}, versions[1].(object)["differences"])
	require.Len(t, first["differences"], 2, "everything is new: %v", first["differences"])

	restored := bundle.REST("POST", roles+":restore", ada.token, object{"version": 1})
	require.Equal(t, 200, restored.Status, restored.Text)
	require.Equal(t, "One", restored.Body["displayName"])
	require.Equal(t, []any{"workflow.task.read"}, restored.Body["permissions"])
	require.Empty(t, restored.Body["parents"])
	require.EqualValues(t, 4, restored.Body["version"])
	require.Equal(t, 404, bundle.REST("POST", roles+":restore", ada.token, object{"version": 9}).Status)
}

func TestLimitsOfRolesAndPermissions(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	organizationID, path := bundle.found(t, ada, "Acme")
	_, err := bundle.database.Admin.Exec(t.Context(), `insert into role (organization_id, id, display_name, description, allowed, denied, parents, version, created_at, updated_at)
select $1, gen_random_uuid(), 'x', '', '{}', '{}', '[]', 1, now(), now() from generate_series(1, $2)`, organizationID.String(), domain.MaxRoles-1)
	require.NoError(t, err)
	bundle.role(t, ada, path, object{})
	full := bundle.REST("POST", path+"/roles", ada.token, object{"displayName": "One too many"})
	require.Equal(t, "ROLE_LIMIT", full.Reason(), full.Text)

	_, err = bundle.database.Admin.Exec(t.Context(), `insert into permission (organization_id, name, description, created_at)
select $1, 'shop.item.action' || number, '', now() from generate_series(1, $2) as number`, organizationID.String(), domain.MaxPermissions-1)
	require.NoError(t, err)
	require.Equal(t, 200, bundle.REST("POST", path+"/permissions", ada.token, object{"name": "shop.item.last"}).Status)
	full = bundle.REST("POST", path+"/permissions", ada.token, object{"name": "shop.item.beyond"})
	require.Equal(t, "PERMISSION_LIMIT", full.Reason(), full.Text)
}

func TestPermissionsOfTheOrganizationsOwn(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "admin")
	bundle.takeEvents(t)
	created := bundle.REST("POST", path+"/permissions", ada.token, object{"name": "payroll.run.approve", "description": "Pays."})
	require.Equal(t, 200, created.Status, created.Text)
	require.Equal(t, []string{"organization.permission.created"}, types(bundle.takeEvents(t)))
	for name, test := range map[string]struct {
		permission string
		status     int
		reason     string
	}{
		"the same again":     {"payroll.run.approve", 409, "PERMISSION_EXISTS"},
		"one of Braid's":     {"workflow.task.read", 400, "PERMISSION_RESERVED"},
		"of its services":    {"billing.plan.change", 400, "PERMISSION_RESERVED"},
		"without a name":     {"", 400, "INVALID_ARGUMENT"},
		"not in three parts": {"payroll.run", 400, "INVALID_ARGUMENT"},
	} {
		answer := bundle.REST("POST", path+"/permissions", ada.token, object{"name": test.permission})
		require.Equal(t, test.status, answer.Status, "%s: %s", name, answer.Text)
		require.Equal(t, test.reason, answer.Reason(), name)
	}
	check := func(who person) string {
		return bundle.REST("POST", path+"/access:check", who.token, object{"permission": "payroll.run.approve"}).Body["reason"].(string)
	}
	require.Equal(t, "role:owner", check(ada), "owners hold it at once")
	require.Equal(t, "no_role_with_permission", check(ben))
	beyond := bundle.REST("POST", path+"/roles", ben.token, object{"displayName": "Payroll", "permissions": []string{"payroll.run.approve"}})
	require.Equal(t, "GRANT_EXCEEDS_OWN", beyond.Reason(), beyond.Text)
	require.Equal(t, "payroll.run.approve", beyond.Metadata()["permission"])
	payroll := bundle.role(t, ada, path, object{"permissions": []string{"payroll.run.approve"}})

	used := bundle.REST("DELETE", path+"/permissions/payroll.run.approve", ada.token, nil)
	require.Equal(t, "PERMISSION_IN_USE", used.Reason())
	require.Equal(t, payroll, used.Metadata()["roleIds"])
	updated := bundle.REST("PATCH", path+"/permissions/payroll.run.approve", ada.token, object{"description": "Pays everybody."})
	require.Equal(t, "Pays everybody.", updated.Body["description"], updated.Text)
	renamed := bundle.REST("PATCH", path+"/permissions/payroll.run.approve", ada.token, object{"name": "payroll.run.stop"})
	require.Equal(t, []string{"name"}, renamed.Fields(), renamed.Text)
	require.Equal(t, "PERMISSION_RESERVED", bundle.REST("DELETE", path+"/permissions/workflow.task.read", ada.token, nil).Reason())
	require.Equal(t, 404, bundle.REST("DELETE", path+"/permissions/payroll.run.none", ada.token, nil).Status)

	require.Equal(t, []any{"payroll.run.approve"}, bundle.pages(t, ada, path+"/permissions", "permissions", "name", "system = false", ""))
	require.Contains(t, bundle.REST("GET", path+"/permissions?pageSize=200", ada.token, nil).Text, "workflow.task.read")
	require.Equal(t, 200, bundle.REST("DELETE", path+"/roles/"+payroll, ada.token, nil).Status)
	require.Equal(t, 200, bundle.REST("DELETE", path+"/permissions/payroll.run.approve", ada.token, nil).Status)
	require.Equal(t, "unknown_permission", check(ada))
}

func TestCustomRolesAreListedBehindTheSystemRoles(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	var made []any
	for i := range 3 {
		bundle.clock.Advance(time.Second)
		made = append(made, bundle.role(t, ada, path, object{"displayName": fmt.Sprint("Custom ", i), "permissions": []string{"workflow.task.read"}}))
	}
	ids := func(filter, orderBy string) []any {
		return bundle.pages(t, ada, path+"/roles", "roles", "id", filter, orderBy)
	}
	require.Equal(t, append([]any{"viewer", "member", "admin", "owner"}, made...), ids("", ""))
	require.Equal(t, made, ids("system = false", ""))
	require.Equal(t, []any{made[1]}, ids(`displayName:"custom 1"`, ""))
	require.Len(t, ids(`permissions:"workflow.task.read"`, "displayName desc"), 7)
	require.Equal(t, []any{"admin"}, ids(`id = "admin"`, ""))
}

// What is repeated with its key has happened once.
func TestARoleIsMadeOnceForEachKey(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	for range 2 {
		answer := bundle.REST("POST", path+"/roles", ada.token, object{"displayName": "x"}, rpctest.IdempotencyKey("one"))
		require.Equal(t, 200, answer.Status)
	}
	require.Len(t, bundle.REST("GET", path+"/roles", ada.token, nil).Body["roles"], 5)
}

package organization

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// Every write that raises the access revision answers it: bundle.REST holds that against each of the answers here, and of
// all other tests.
func TestWritesAnswerTheAccessRevision(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "viewer")
	last := "0"
	write := func(method, path string, body object) object {
		t.Helper()
		answer := bundle.REST(method, path, ada.token, body)
		require.Equal(t, 200, answer.Status, answer.Text)
		require.NotEmpty(t, answer.Header.Get(rpc.AccessRevisionHeader), "%s %s", method, path)
		require.NotEqual(t, last, answer.Body["accessRevision"])
		last, _ = answer.Body["accessRevision"].(string)
		return answer.Body
	}
	made := bundle.REST("POST", path+"/teams", ada.token, object{"displayName": "Above"})
	require.Equal(t, "", made.Body["accessRevision"], "nobody is in it")
	team := path + "/teams/" + bundle.REST("POST", path+"/teams", ada.token, object{"displayName": "Web"}).Body["id"].(string)
	write("POST", team+"/members", object{"userId": ben.UserID.String()})
	write("PATCH", team, object{"parentTeamId": made.Body["id"]})
	write("DELETE", team+"/members/"+ben.UserID.String(), nil)
	write("DELETE", team, nil)
	write("POST", memberPath(path, ben)+":suspend", object{})
	write("POST", memberPath(path, ben)+":resume", object{})
	require.Empty(t, bundle.offer(path, ada, ben))
	accepted := bundle.REST("POST", path+":acceptOwnership", ben.token, object{})
	require.NotEmpty(t, accepted.Body["accessRevision"], accepted.Text)
}

// The contract says which answers can tell a revision: all of the RPCs whose permission is about who may do what.
func TestContractHasTheRevisionInEveryAnswerOfAccess(t *testing.T) {
	t.Parallel()
	methods, err := rpc.Catalog()
	require.NoError(t, err)
	changing := map[string]bool{"member": true, "team": true, "role": true, "permission": true, "assignment": true, "policy": true}
	seen := 0
	for _, method := range methods {
		if method.Service != Name || method.ReadOnly || method.Permission == "" || !changing[domain.ResourceTypeOf(method.Permission)] {
			continue
		}
		seen++
		require.NotNil(t, method.Descriptor.Output().Fields().ByName("access_revision"), method.Procedure)
	}
	require.Greater(t, seen, 15)
}

// An old owner keeps the roles of the organization's own, as the new one does: only the system role changes.
func TestOwnershipLeavesOwnRolesAlone(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "viewer")
	releases := bundle.role(t, ada, path, object{"permissions": []string{writeTasks}})
	reviews := bundle.role(t, ada, path, object{"permissions": []string{"workflow.task.read"}})
	for who, roles := range map[person][]string{ada: {"owner", releases}, ben: {"viewer", reviews}} {
		require.Equal(t, 200, bundle.REST("PATCH", memberPath(path, who), ada.token, object{"roleIds": roles}).Status)
	}
	require.Empty(t, bundle.offer(path, ada, ben))
	require.Empty(t, bundle.acceptOffer(path, ben))
	after := map[any]any{}
	for _, member := range bundle.REST("GET", path+"/members", ben.token, nil).Body["members"].([]any) {
		after[member.(object)["userId"]] = member.(object)["roleIds"]
	}
	require.Equal(t, map[any]any{ada.UserID.String(): []any{"admin", releases}, ben.UserID.String(): []any{"owner", reviews}}, after)
}

// An assignment for a resource of a type that nothing knows could never hold, and is refused.
func TestAssignmentKnowsTheTypesOfResources(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "viewer")
	assign := func(resourceType string) (status int, reason string, fields []string) {
		answer := bundle.REST("POST", path+"/assignments", ada.token, object{
			"subject": object{"type": "USER", "id": ben.UserID.String()}, "roleId": "member",
			"scope": object{"type": "RESOURCE", "id": id.New().String(), "resourceType": resourceType},
		})
		return answer.Status, answer.Reason(), answer.Fields()
	}
	status, reason, fields := assign("unicorn")
	require.Equal(t, 400, status)
	require.Equal(t, "RESOURCE_TYPE_UNKNOWN", reason)
	require.Equal(t, []string{"scope.resourceType"}, fields)
	for _, known := range []string{"task", "project"} {
		status, _, _ = assign(known)
		require.Equal(t, 200, status, known)
	}
	require.Equal(t, 200, bundle.REST("POST", path+"/permissions", ada.token, object{"name": "zoo.unicorn.ride"}).Status)
	status, reason, _ = assign("unicorn")
	require.Equal(t, 200, status, reason)
}

// A sole owner who denies themself all of workflow undoes it by themself: nothing of the organization's is denied by that.
func TestOwnerUndoesTheirOwnDenial(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	barred := bundle.role(t, ada, path, object{"deniedPermissions": []string{"workflow.project.read", writeTasks, "workflow.task.read"}})
	denial := bundle.assign(t, ada, path, ada, object{"roleId": barred})
	allowed := func() any {
		return bundle.REST("POST", path+"/access:check", ada.token, object{"permission": writeTasks}).Body["allowed"]
	}
	require.Equal(t, false, allowed())
	require.Equal(t, 200, bundle.REST("DELETE", path+"/assignments/"+denial, ada.token, nil).Status)
	require.Equal(t, true, allowed())

	require.Equal(t, 200, bundle.REST("PATCH", memberPath(path, ada), ada.token, object{"roleIds": []string{"owner", barred}}).Status)
	require.Equal(t, false, allowed())
	require.Equal(t, 200, bundle.REST("PATCH", memberPath(path, ada), ada.token, object{"roleIds": []string{"owner"}}).Status)
	require.Equal(t, true, allowed())

	bundle.assign(t, ada, path, ada, object{"roleId": barred})
	require.Equal(t, 200, bundle.REST("PATCH", path+"/roles/"+barred, ada.token, object{"deniedPermissions": []string{}}).Status)
	require.Equal(t, true, allowed())
}

// Whether somebody else's condition on the address or the factor holds nobody knows: the explanation says so, and what
// follows from it.
func TestExplanationSaysWhatCannotBeKnown(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "member")
	barred := bundle.role(t, ada, path, object{"deniedPermissions": []string{writeTasks}})
	const away = `!inNetwork(request.address, "10.0.0.0/8") && !request.secondFactor`
	bundle.assign(t, ada, path, ben, object{"roleId": barred, "condition": away})
	answer := bundle.REST("POST", path+"/access:explain", ada.token, object{"permission": writeTasks, "userId": ben.UserID.String()})
	require.Equal(t, "denied:"+barred, answer.Body["reason"], answer.Text)
	denial := answer.Body["paths"].([]any)[0].(object)
	require.Equal(t, "DENY", denial["effect"])
	require.Equal(t, true, denial["applies"], "what can't be told denies")
	require.Equal(t, []any{object{
		"expression": away, "holds": false,
		"unknown": "request.address, request.secondFactor can't be known here; what can't be told denies.",
	}}, denial["conditions"])
}

package organization

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
)

func TestManyChecksAreAnsweredInTheirOrder(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, eve := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("eve")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "viewer")
	project := id.New().String()
	bundle.assign(t, ada, path, ben, object{"roleId": "member", "scope": object{"type": "PROJECT", "id": project}})
	about := func(who person) string { return who.UserID.String() }
	answer := bundle.REST("POST", path+"/access:batchCheck", ada.token, object{"checks": []object{
		{"permission": writeTasks},
		{"permission": writeTasks, "userId": about(ben)},
		{"permission": writeTasks, "userId": about(ben), "resource": object{"type": "task", "projectId": project}},
		{"permission": writeTasks, "userId": about(eve)},
		{"permission": "workflow.task.juggle"},
		{"permission": "shop.item.buy", "userId": about(ben)},
	}})
	require.Equal(t, 200, answer.Status, answer.Text)
	var reasons []any
	for _, result := range answer.Body["results"].([]any) {
		reasons = append(reasons, result.(object)["reason"])
	}
	require.Equal(t, []any{"role:owner", "no_role_with_permission", "role:member", "not_a_member", "unknown_permission", "unknown_permission"}, reasons)
	alone := bundle.REST("POST", path+"/access:batchCheck", ben.token, object{"checks": []object{{"permission": writeTasks}, {"permission": "workflow.task.read"}}})
	require.Contains(t, alone.Text, `"role:viewer"`, alone.Text)
	require.Contains(t, alone.Text, `"no_role_with_permission"`)
	tooMany := bundle.REST("POST", path+"/access:batchCheck", ada.token, object{"checks": slices.Repeat([]object{{"permission": writeTasks}}, 101)})
	require.Equal(t, []string{"checks"}, tooMany.Fields(), tooMany.Text)
}

// Whoever may not see who is in the organization learns nothing about others.
func TestAskingAboutOthersTakesThePermissionToReadMembers(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	narrow := bundle.role(t, ada, path, object{"permissions": []string{"organization.access.check", "organization.access.explain"}})
	bundle.join(t, ada, path, ben, narrow)
	others := ada.UserID.String()
	for _, method := range []string{":check", ":explain", ":listResources"} {
		require.Equal(t, "PERMISSION_DENIED",
			bundle.REST("POST", path+"/access"+method, ben.token, object{"permission": writeTasks, "userId": others}).Reason(), method)
		require.Equal(t, 200, bundle.REST("POST", path+"/access"+method, ben.token, object{"permission": writeTasks}).Status, method)
	}
	require.Equal(t, "PERMISSION_DENIED",
		bundle.REST("POST", path+"/access:batchCheck", ben.token, object{"checks": []object{{"permission": writeTasks, "userId": others}}}).Reason())
}

func TestAnExplanationShowsTheWaysAndWhatIsMissing(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "viewer")
	project := id.New().String()
	parent := bundle.role(t, ada, path, object{"permissions": []string{writeTasks}})
	const condition = `request.factor == "passkey"`
	child := bundle.role(t, ada, path, object{"parents": []object{{"roleId": parent, "inheritance": "CONDITIONAL", "condition": condition}}})
	start := bundle.clock.Now().Add(time.Hour)
	bundle.assign(t, ada, path, ben, object{"roleId": "member", "startTime": start.Format(time.RFC3339)})
	bundle.assign(t, ada, path, ben, object{"roleId": child})
	inProject := bundle.assign(t, ada, path, ben, object{"roleId": "member", "scope": object{"type": "PROJECT", "id": project}})
	explain := func(resource any) object {
		question := object{"permission": writeTasks, "userId": ben.UserID.String()}
		if resource != nil {
			question["resource"] = resource
		}
		answer := bundle.REST("POST", path+"/access:explain", ada.token, question)
		require.Equal(t, 200, answer.Status, answer.Text)
		return answer.Body
	}
	none := explain(nil)
	require.Equal(t, false, none["allowed"])
	require.Equal(t, "no_role_with_permission", none["reason"])
	var missing []any
	for _, path := range none["paths"].([]any) {
		require.Equal(t, false, path.(object)["applies"])
		missing = append(missing, path.(object)["missing"].([]any)...)
	}
	require.ElementsMatch(t, []any{
		"It holds from " + start.Format(time.RFC3339) + " on only.",
		"The condition must be true, and something that it asks for is not known here: " + condition,
		"It holds for the project " + project + " only.",
	}, missing)

	there := explain(object{"type": "task", "projectId": project})
	require.Equal(t, true, there["allowed"])
	first := there["paths"].([]any)[0].(object)
	require.Equal(t, inProject, first["assignmentId"])
	require.Equal(t, "ALLOW", first["effect"])
	require.Equal(t, []any{"member"}, first["roleIds"])
	require.Empty(t, first["missing"])

	byCondition := slices.IndexFunc(none["paths"].([]any), func(path any) bool { return len(path.(object)["roleIds"].([]any)) == 2 })
	require.Equal(t, []any{child, parent}, none["paths"].([]any)[byCondition].(object)["roleIds"])
	require.Equal(t, []any{object{
		"expression": condition, "holds": false, "unknown": "request.factor can't be known here; what can't be told does not allow.",
	}}, none["paths"].([]any)[byCondition].(object)["conditions"])

	denying := bundle.role(t, ada, path, object{"deniedPermissions": []string{writeTasks}})
	bundle.assign(t, ada, path, ben, object{"roleId": denying})
	denied := explain(object{"type": "task", "projectId": project})
	require.Equal(t, "denied:"+denying, denied["reason"])
	require.Equal(t, "DENY", denied["paths"].([]any)[0].(object)["effect"])
	require.Equal(t, true, denied["paths"].([]any)[0].(object)["applies"])

	own := bundle.REST("POST", path+"/permissions", ada.token, object{"name": "shop.item.buy"})
	require.Equal(t, 200, own.Status)
	byOwner := bundle.REST("POST", path+"/access:explain", ada.token, object{"permission": "shop.item.buy"})
	require.Equal(t, []any{"owner"}, byOwner.Body["paths"].([]any)[0].(object)["roleIds"], byOwner.Text)
	outsider := bundle.REST("POST", path+"/access:explain", ada.token, object{"permission": writeTasks, "userId": id.New().String()})
	require.Equal(t, "not_a_member", outsider.Body["reason"])
}

func TestListSubjectsIsExactAndPaged(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	project := id.New().String()
	want := []any{ada.UserID.String()}
	for i, name := range []string{"ben", "cleo", "dan", "eve", "fay", "gus"} {
		joining := bundle.meet(name)
		bundle.join(t, ada, path, joining, "viewer")
		if i%2 == 0 {
			bundle.assign(t, ada, path, joining, object{"roleId": "member", "scope": object{"type": "PROJECT", "id": project}})
			want = append(want, joining.UserID.String())
		}
	}
	denied := bundle.meet("hal")
	bundle.join(t, ada, path, denied, "member")
	denying := bundle.role(t, ada, path, object{"deniedPermissions": []string{writeTasks}})
	bundle.assign(t, ada, path, denied, object{"roleId": denying})
	list := func(question object) []any {
		found, token := []any{}, ""
		for range 20 {
			question["pageSize"], question["pageToken"] = 2, token
			answer := bundle.REST("POST", path+"/access:listSubjects", ada.token, question)
			require.Equal(t, 200, answer.Status, answer.Text)
			subjects := answer.Body["subjects"].([]any)
			require.LessOrEqual(t, len(subjects), 2)
			for _, subject := range subjects {
				require.Equal(t, "USER", subject.(object)["type"])
				found = append(found, subject.(object)["id"])
			}
			if token, _ = answer.Body["nextPageToken"].(string); token == "" {
				return found
			}
		}
		t.Fatal("the pages do not end")
		return nil
	}
	slices.SortFunc(want, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	require.Equal(t, want, list(object{"permission": writeTasks, "resource": object{"type": "task", "projectId": project}}))
	require.Equal(t, []any{ada.UserID.String()}, list(object{"permission": writeTasks}))
	require.Len(t, list(object{"permission": "workflow.task.read"}), 8)
	require.Empty(t, list(object{"permission": "shop.item.buy"}))
	first := bundle.REST("POST", path+"/access:listSubjects", ada.token, object{"permission": "workflow.task.read", "pageSize": 1})
	other := bundle.REST("POST", path+"/access:listSubjects", ada.token, object{"permission": writeTasks, "pageToken": first.Body["nextPageToken"]})
	require.Equal(t, "PAGE_TOKEN_INVALID", other.Reason(), other.Text)
}

func TestListResourcesSaysWhere(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "viewer")
	list := func(permission string) []any {
		found, token := []any{}, ""
		for range 20 {
			answer := bundle.REST("POST", path+"/access:listResources", ada.token, object{
				"permission": permission, "userId": ben.UserID.String(), "pageSize": 2, "pageToken": token,
			})
			require.Equal(t, 200, answer.Status, answer.Text)
			found = append(found, answer.Body["reaches"].([]any)...)
			if token, _ = answer.Body["nextPageToken"].(string); token == "" {
				return found
			}
		}
		t.Fatal("the pages do not end")
		return nil
	}
	reach := func(scope object, more object) object {
		found := object{"scope": object{"type": "ORGANIZATION", "id": "", "resourceType": ""}, "owned": false, "condition": "", "denied": false}
		for key, value := range scope {
			found["scope"].(object)[key] = value
		}
		for key, value := range more {
			found[key] = value
		}
		return found
	}
	require.Equal(t, []any{reach(nil, nil)}, list("workflow.task.read"))
	require.Empty(t, list(writeTasks))
	project, task := id.New().String(), id.New().String()
	inProject := object{"type": "PROJECT", "id": project}
	const condition = `resource.type == "task"`
	denying := bundle.role(t, ada, path, object{"deniedPermissions": []string{writeTasks}})
	for _, given := range []object{
		{"roleId": "member", "scope": inProject},
		{"roleId": "member", "scope": inProject, "owned": true},
		{"roleId": "member", "scope": object{"type": "RESOURCE", "resourceType": "task", "id": task}},
		{"roleId": "member", "owned": true},
		{"roleId": "member", "condition": condition},
		{"roleId": "member", "condition": `request.factor == "passkey"`},
		{"roleId": "member", "startTime": bundle.clock.Now().Add(time.Hour).Format(time.RFC3339)},
		{"roleId": denying, "scope": inProject},
	} {
		bundle.assign(t, ada, path, ben, given)
	}
	require.ElementsMatch(t, []any{
		reach(inProject, nil),
		reach(object{"type": "RESOURCE", "resourceType": "task", "id": task}, nil),
		reach(nil, object{"owned": true}), reach(nil, object{"condition": condition}),
		reach(inProject, object{"denied": true}),
	}, list(writeTasks))
	outsider := bundle.REST("POST", path+"/access:listResources", ada.token, object{"permission": writeTasks, "userId": id.New().String()})
	require.Empty(t, outsider.Body["reaches"], outsider.Text)
}

package organization

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/braidhq/braid/platform/id"
)

// granted are permissions of some weight that random roles are made of, and that everybody is asked about.
var granted = []string{
	"workflow.task.read", "workflow.task.create", "workflow.project.archive", "organization.member.remove",
	"organization.role.create", "organization.assignment.create",
}

// Whatever members do by roles, members' roles and assignments, no change by somebody who is no owner gives anybody a
// permission that the one who made it lacked.
func TestNoChangeGivesWhatItsMakerLacks(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	staff := []person{bundle.meet("ada"), bundle.meet("ben"), bundle.meet("cleo"), bundle.meet("dan")}
	project, changes := id.New().String(), 0
	rapid.Check(t, func(rt *rapid.T) {
		_, path := bundle.found(t, staff[0], "Acme")
		// One may change roles, and holds little else.
		maker := bundle.role(t, staff[0], path, object{"permissions": []string{
			"organization.role.create", "organization.role.update", "organization.assignment.create", "organization.assignment.delete",
			"organization.member.update",
		}})
		for i, role := range []string{"admin", maker, "viewer"} {
			bundle.join(t, staff[0], path, staff[i+1], role)
		}
		roles := []string{"viewer", "member", "admin", maker}
		var assignments []string
		for range rapid.IntRange(4, 14).Draw(rt, "steps") {
			actor, target := rapid.SampledFrom(staff).Draw(rt, "actor"), rapid.SampledFrom(staff[1:]).Draw(rt, "target")
			before := bundle.standing(rt, path, staff, project)
			method, rest, body := drawChange(rt, roles, assignments, target, project)
			answer := bundle.REST(method, path+rest, actor.token, body)
			require.Less(rt, answer.Status, 500, answer.Text)
			if answer.Status != 200 {
				continue
			}
			changes++
			if made, _ := answer.Body["id"].(string); method == "POST" && rest == "/roles" {
				roles = append(roles, made)
			} else if method == "POST" {
				assignments = append(assignments, made)
			}
			if actor.UserID == staff[0].UserID {
				continue
			}
			after := bundle.standing(rt, path, staff, project)
			for question, allowed := range after {
				if allowed && !before[question] {
					_, what, _ := strings.Cut(question, " ")
					require.True(rt, before[actor.Email+" "+what], "%s gave %s by %s %s %v", actor.Email, question, method, rest, body)
				}
			}
		}
	})
	require.Greater(t, changes, 100, "most of what was tried was refused")
}

// drawChange is a request that changes who may do what.
func drawChange(rt *rapid.T, roles, assignments []string, target person, project string) (method, path string, body any) {
	some := func(label string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(granted), 0, 3, rapid.ID).Draw(rt, label)
	}
	content := func() object {
		made := object{"displayName": "Role", "permissions": some("allowed"), "deniedPermissions": some("denied")}
		parent := object{"roleId": rapid.SampledFrom(roles).Draw(rt, "parent")}
		switch rapid.SampledFrom([]string{"NONE", "FULL", "PARTIAL", "CONDITIONAL"}).Draw(rt, "inheritance") {
		case "NONE":
			return made
		case "FULL":
			parent["inheritance"] = "FULL"
		case "PARTIAL":
			parent["inheritance"], parent["permissions"] = "PARTIAL", []string{rapid.SampledFrom(granted).Draw(rt, "partial")}
		case "CONDITIONAL":
			parent["inheritance"], parent["condition"] = "CONDITIONAL", rapid.SampledFrom([]string{"true", `resource.type == "task"`}).Draw(rt, "condition")
		}
		made["parents"] = []object{parent}
		return made
	}
	kinds := []string{"role", "member", "assign"}
	if len(roles) > 4 {
		kinds = append(kinds, "change")
	}
	if len(assignments) > 0 {
		kinds = append(kinds, "take")
	}
	switch rapid.SampledFrom(kinds).Draw(rt, "kind") {
	case "role":
		return "POST", "/roles", content()
	case "change":
		return "PATCH", "/roles/" + rapid.SampledFrom(roles[4:]).Draw(rt, "changed"), content()
	case "member":
		return "PATCH", "/members/" + target.UserID.String(), object{"roleIds": rapid.SliceOfNDistinct(rapid.SampledFrom(roles), 1, 2, rapid.ID).Draw(rt, "roles")}
	case "take":
		return "DELETE", "/assignments/" + rapid.SampledFrom(assignments).Draw(rt, "taken"), nil
	}
	given := object{"subject": object{"type": "USER", "id": target.UserID.String()}, "roleId": rapid.SampledFrom(roles).Draw(rt, "role")}
	if rapid.Bool().Draw(rt, "in project") {
		given["scope"] = object{"type": "PROJECT", "id": project}
	}
	return "POST", "/assignments", given
}

// standing is what everybody may do, in the whole organization and for a task of the project: "<email> <where> <permission>".
func (b *testBundle) standing(rt *rapid.T, path string, staff []person, project string) map[string]bool {
	var checks []object
	var questions []string
	for _, who := range staff {
		for _, permission := range granted {
			about := object{"permission": permission, "userId": who.UserID.String()}
			checks, questions = append(checks, about), append(questions, who.Email+" everywhere "+permission)
			inProject := object{"permission": permission, "userId": who.UserID.String(), "resource": object{"type": "task", "projectId": project}}
			checks, questions = append(checks, inProject), append(questions, who.Email+" project "+permission)
		}
	}
	answer := b.REST("POST", path+"/access:batchCheck", staff[0].token, object{"checks": checks})
	require.Equal(rt, 200, answer.Status, answer.Text)
	held := map[string]bool{}
	for i, result := range answer.Body["results"].([]any) {
		held[questions[i]] = result.(object)["allowed"] == true
	}
	return held
}

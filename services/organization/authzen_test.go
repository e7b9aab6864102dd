package organization

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
)

// The examples of the specification's evaluation and evaluations endpoints, with people and permissions of a test's.
func TestAuthzen(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, eve := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("eve")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "viewer")
	project, task := id.New().String(), id.New().String()
	bundle.assign(t, ada, path, ben, object{"roleId": "member", "scope": object{"type": "PROJECT", "id": project}})
	subject := func(who person) object { return object{"type": "user", "id": who.UserID.String()} }
	action := func(name string) object { return object{"name": name} }
	resource := func(projectID string) object {
		return object{"type": "task", "id": task, "properties": object{"organizationId": organizationID.String(), "projectId": projectID}}
	}
	evaluate := func(who person, question object) (any, any) {
		answer := bundle.REST("POST", "/access/v1/evaluation", who.token, question)
		require.Equal(t, 200, answer.Status, answer.Text)
		return answer.Body["decision"], answer.Body["context"].(object)["reason"]
	}
	inContext := object{"organizationId": organizationID.String()}
	for name, test := range map[string]struct {
		who      person
		question object
		decision bool
		reason   string
	}{
		"in the project": {ada, object{"subject": subject(ben), "action": action(writeTasks), "resource": resource(project)}, true, "role:member"},
		"elsewhere":      {ada, object{"subject": subject(ben), "action": action(writeTasks), "resource": resource(id.New().String())}, false, "no_role_with_permission"},
		"the organization by context": {ada, object{
			"subject": subject(ben), "action": action(writeTasks), "context": inContext,
			"resource": object{"type": "task", "id": task, "properties": object{"projectId": project}},
		}, true, "role:member"},
		"all of the organization": {ada, object{
			"subject": subject(ada), "action": action("organization.member.remove"),
			"resource": object{"type": "organization", "id": organizationID.String()},
		}, true, "role:owner"},
		"properties that mean nothing": {ada, object{
			"subject":  object{"type": "user", "id": ben.UserID.String(), "properties": object{"department": "Sales"}},
			"action":   object{"name": writeTasks, "properties": object{"method": "GET"}},
			"resource": resource(project), "context": object{"time": "2026-10-26T01:22-07:00"},
		}, true, "role:member"},
		"a subject that is no id":   {ada, object{"subject": object{"type": "user", "id": "alice@example.com"}, "action": action(writeTasks), "resource": resource(project)}, false, "unknown_subject"},
		"a subject of another type": {ada, object{"subject": object{"type": "robot", "id": ben.UserID.String()}, "action": action(writeTasks), "resource": resource(project)}, false, "unknown_subject"},
		"a stranger":                {ada, object{"subject": subject(eve), "action": action(writeTasks), "resource": resource(project)}, false, "not_a_member"},
		"an action that is none":    {ada, object{"subject": subject(ben), "action": action("can_read"), "resource": resource(project)}, false, "unknown_permission"},
		"no organization":           {ada, object{"subject": subject(ben), "action": action(writeTasks), "resource": object{"type": "task", "id": task}}, false, "unknown_organization"},
		"another's organization":    {eve, object{"subject": subject(ben), "action": action(writeTasks), "resource": resource(project)}, false, "unknown_organization"},
		"one that does not exist": {eve, object{
			"subject": subject(ben), "action": action(writeTasks), "context": object{"organizationId": id.New().String()},
			"resource": object{"type": "task", "id": task},
		}, false, "unknown_organization"},
	} {
		decision, reason := evaluate(test.who, test.question)
		require.Equal(t, test.decision, decision, name)
		require.Equal(t, test.reason, reason, name)
	}
	require.Equal(t, 401, bundle.REST("POST", "/access/v1/evaluation", "", object{"subject": subject(ben)}).Status)
	require.Equal(t, []string{"action", "resource"}, bundle.REST("POST", "/access/v1/evaluation", ada.token, object{"subject": subject(ben)}).Fields())
}

func TestAuthzenEvaluations(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "viewer")
	request := object{
		"subject": object{"type": "user", "id": ben.UserID.String()}, "action": object{"name": "workflow.task.read"},
		"resource": object{"type": "task", "id": id.New().String()}, "context": object{"organizationId": organizationID.String()},
	}
	read, write := object{}, object{"action": object{"name": writeTasks}}
	evaluate := func(semantic string, evaluations ...object) (decisions []any) {
		request["evaluations"] = evaluations
		delete(request, "options")
		if semantic != "" {
			request["options"] = object{"evaluations_semantic": semantic}
		}
		answer := bundle.REST("POST", "/access/v1/evaluations", ada.token, request)
		require.Equal(t, 200, answer.Status, answer.Text)
		for _, evaluation := range answer.Body["evaluations"].([]any) {
			decisions = append(decisions, evaluation.(object)["decision"])
		}
		return decisions
	}
	require.Equal(t, []any{true, false, true}, evaluate("", read, write, read))
	require.Equal(t, []any{true, false, true}, evaluate("execute_all", read, write, read))
	require.Equal(t, []any{true, false}, evaluate("deny_on_first_deny", read, write, read))
	require.Equal(t, []any{false, true}, evaluate("permit_on_first_permit", write, read, write))

	delete(request, "evaluations")
	delete(request, "options")
	alone := bundle.REST("POST", "/access/v1/evaluations", ada.token, request)
	require.Equal(t, true, alone.Body["decision"], alone.Text)
	incomplete := bundle.REST("POST", "/access/v1/evaluations", ada.token, object{"action": object{"name": writeTasks}})
	require.Equal(t, []string{"subject", "resource"}, incomplete.Fields(), incomplete.Text)
	unknown := bundle.REST("POST", "/access/v1/evaluations", ada.token, object{"options": object{"evaluations_semantic": "maybe"}})
	require.Equal(t, 400, unknown.Status, unknown.Text)

	found := bundle.REST("GET", "/.well-known/authzen-configuration", "", nil)
	require.Equal(t, object{
		"policy_decision_point": "https://braid.example", "access_evaluation_endpoint": "https://braid.example/access/v1/evaluation",
		"access_evaluations_endpoint": "https://braid.example/access/v1/evaluations",
	}, found.Body, found.Text)
}

package organization

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/testkit/rpctest"
)

// A question that is wrong is wrong alone: the others of its request are answered.
func TestAuthzenEvaluationFailsAlone(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	organizationID, _ := bundle.found(t, ada, "Acme")
	good := object{"resource": object{"type": "organization", "id": organizationID.String()}}
	noID := object{"resource": object{"type": "organization"}}
	none := object{}
	request := object{
		"subject": object{"type": "user", "id": ada.UserID.String()}, "action": object{"name": "organization.member.read"},
		"evaluations": []object{none, good, noID, {"subject": object{"type": "user", "id": id.New().String()}, "resource": good["resource"]}},
	}
	answer := bundle.REST("POST", "/access/v1/evaluations", ada.token, request)
	require.Equal(t, 200, answer.Status, answer.Text)
	evaluations := answer.Body["evaluations"].([]any)
	require.Len(t, evaluations, 4)
	wrong := func(i int, field string) {
		require.Equal(t, false, evaluations[i].(object)["decision"])
		told := evaluations[i].(object)["context"].(object)["error"].(object)
		require.InDelta(t, 400, told["status"], 0)
		require.Contains(t, told["message"], field+": ")
	}
	wrong(0, "resource")
	require.Equal(t, true, evaluations[1].(object)["decision"])
	wrong(2, "resource.id")
	require.Equal(t, "not_a_member", evaluations[3].(object)["context"].(object)["reason"])

	request["options"] = object{"evaluations_semantic": "deny_on_first_deny"}
	require.Len(t, bundle.REST("POST", "/access/v1/evaluations", ada.token, request).Body["evaluations"], 1, "what is wrong is a no")
	request["options"] = object{"evaluations_semantic": "permit_on_first_permit"}
	require.Len(t, bundle.REST("POST", "/access/v1/evaluations", ada.token, request).Body["evaluations"], 2)
	request["evaluations"] = slices.Repeat([]object{none}, 101)
	require.Equal(t, []string{"evaluations"}, bundle.REST("POST", "/access/v1/evaluations", ada.token, request).Fields())
}

func TestAuthzenAnswersTheNameOfARequest(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	for named, answered := range map[string]string{"bfe9eb29-ab87-4ca3-be83-a1d5d8305716": "bfe9eb29-ab87-4ca3-be83-a1d5d8305716", "<script>": "", "": ""} {
		var options []rpctest.Option
		if named != "" {
			options = append(options, rpctest.Header("X-Request-ID", named))
		}
		for _, token := range []string{ada.token, "nobody's"} {
			answer := bundle.REST("POST", "/access/v1/evaluation", token, object{}, options...)
			require.Equal(t, answered, answer.Header.Get("X-Request-ID"), answer.Text)
		}
	}
}

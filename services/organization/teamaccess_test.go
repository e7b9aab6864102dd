package organization

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/testkit/rpctest"
)

// assignTeam gives a role to a team.
func (b *testBundle) assignTeam(giver person, path string, teamID id.ID, body object) rpctest.Answer {
	given := object{"subject": object{"type": "TEAM", "id": teamID.String()}}
	for key, value := range body {
		given[key] = value
	}
	return b.REST("POST", path+"/assignments", giver.token, given)
}

// What a team has, all have who are in it or in a team below it, as long as they are.
func TestWhatATeamHasItsMembersHave(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, cleo := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("cleo")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "guest")
	bundle.join(t, ada, path, cleo, "guest")
	above, abovePath := bundle.team(t, ada, path, "Above", id.ID{})
	below, belowPath := bundle.team(t, ada, path, "Below", above)
	_, lowestPath := bundle.team(t, ada, path, "Lowest", below)
	bundle.addTo(t, ada, lowestPath, ben, "MEMBER")
	bundle.addTo(t, ada, belowPath, ben, "MEMBER")
	project := id.New().String()

	require.Equal(t, "SUBJECT_UNKNOWN", bundle.assignTeam(ada, path, id.New(), object{"roleId": "member", "scope": object{"type": "ORGANIZATION"}}).Reason())
	require.Equal(t, "no_role_with_permission", bundle.writes(t, path, ada, ben, project))
	given := bundle.assignTeam(ada, path, above, object{"roleId": "member", "scope": object{"type": "PROJECT", "id": project}})
	require.Equal(t, 200, given.Status, given.Text)
	require.Equal(t, "role:member", bundle.writes(t, path, ada, ben, project))
	require.Equal(t, "no_role_with_permission", bundle.writes(t, path, ada, ben, id.New().String()))
	require.Equal(t, "no_role_with_permission", bundle.writes(t, path, ada, cleo, project))

	require.Equal(t, 200, bundle.REST("DELETE", lowestPath+"/members/"+ben.UserID.String(), ada.token, nil).Status)
	require.Equal(t, "role:member", bundle.writes(t, path, ada, ben, project), "the other team is below it, too")
	require.Equal(t, 200, bundle.REST("PATCH", belowPath, ada.token, object{"parentTeamId": ""}).Status)
	require.Equal(t, "no_role_with_permission", bundle.writes(t, path, ada, ben, project), "it is below it no more")

	bundle.addTo(t, ada, abovePath, cleo, "MEMBER")
	require.Equal(t, "role:member", bundle.writes(t, path, ada, cleo, project))
	require.Equal(t, 200, bundle.REST("DELETE", abovePath, ada.token, nil).Status)
	require.Equal(t, "no_role_with_permission", bundle.writes(t, path, ada, cleo, project))
	require.Equal(t, 404, bundle.REST("GET", path+"/assignments/"+given.Body["id"].(string), ada.token, nil).Status, "it went with its team")
}

// Nobody puts somebody, or a team, where they have what whoever does it lacks.
func TestATeamGivesNoMoreThanWhoPutsPeopleIntoIt(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, cleo := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("cleo")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "admin")
	bundle.join(t, ada, path, cleo, "viewer")
	require.Equal(t, 200, bundle.REST("POST", path+"/permissions", ada.token, object{"name": "payroll.run.approve"}).Status)
	role := bundle.role(t, ada, path, object{"displayName": "Payroll", "permissions": []string{"payroll.run.approve"}})
	above, abovePath := bundle.team(t, ada, path, "Above", id.ID{})
	_, belowPath := bundle.team(t, ada, path, "Below", above)
	_, besidePath := bundle.team(t, ada, path, "Beside", id.ID{})
	given := bundle.assignTeam(ada, path, above, object{"roleId": role, "scope": object{"type": "ORGANIZATION"}})
	require.Equal(t, 200, given.Status, given.Text)

	bundle.takeEvents(t)
	for _, teamPath := range []string{abovePath, belowPath} {
		answer := bundle.REST("POST", teamPath+"/members", ben.token, object{"userId": cleo.UserID.String(), "role": "MEMBER"})
		require.Equal(t, "GRANT_EXCEEDS_OWN", answer.Reason(), answer.Text)
	}
	require.Equal(t, "GRANT_EXCEEDS_OWN", bundle.REST("PATCH", besidePath, ben.token, object{"parentTeamId": above.String()}).Reason())
	require.Empty(t, bundle.takeEvents(t))

	bundle.addTo(t, ada, abovePath, ben, "MEMBER")
	bundle.addTo(t, ben, belowPath, cleo, "MEMBER")
	require.Equal(t, 200, bundle.REST("PATCH", besidePath, ben.token, object{"parentTeamId": above.String()}).Status)
}

// A role that links and domains give can't go away under them.
func TestARoleThatLinksAndDomainsGiveIsInUse(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	role := bundle.role(t, ada, path, object{"displayName": "Reader", "permissions": []string{"workflow.task.read"}})
	link := bundle.REST("POST", path+"/invitation-links", ada.token, object{"roleId": role})
	require.Equal(t, 200, link.Status, link.Text)
	linkID := link.Body["invitationLink"].(map[string]any)["id"].(string)
	refused := bundle.REST("DELETE", path+"/roles/"+role, ada.token, nil)
	require.Equal(t, "ROLE_IN_USE", refused.Reason(), refused.Text)
	require.Contains(t, refused.Text, linkID)
	require.Equal(t, 200, bundle.REST("POST", path+"/invitation-links/"+linkID+":revoke", ada.token, object{}).Status)
	require.Equal(t, 200, bundle.REST("DELETE", path+"/roles/"+role, ada.token, nil).Status)
}

// writes asks as an owner whether somebody may write tasks of a project, and returns the reason.
func (b *testBundle) writes(t *testing.T, path string, asking, who person, projectID string) string {
	t.Helper()
	answer := b.REST("POST", path+"/access:check", asking.token, object{
		"permission": writeTasks, "userId": who.UserID.String(), "resource": object{"type": "task", "projectId": projectID},
	})
	require.Equal(t, 200, answer.Status, answer.Text)
	return answer.Body["reason"].(string)
}

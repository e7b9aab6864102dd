package organization

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever may give roles, but holds less than an admin, denies nothing to one, by whatever way.
func TestADenialWorksDownwardsOnly(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, cleo, dan, eve := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("cleo"), bundle.meet("dan"), bundle.meet("eve")
	_, path := bundle.found(t, ada, "Acme")
	giving := bundle.role(t, ada, path, object{"permissions": []string{
		"organization.role.create", "organization.role.update", "organization.assignment.create", "organization.assignment.delete",
		"organization.member.update", "organization.team.create", "organization.team.update", "organization.team.delete",
	}})
	bundle.join(t, ada, path, ben, "member")
	require.Equal(t, 200, bundle.REST("PATCH", memberPath(path, ben), ada.token, object{"roleIds": []string{"member", giving}}).Status)
	bundle.join(t, ada, path, cleo, "admin")
	bundle.join(t, ada, path, dan, "member")
	bundle.join(t, ada, path, eve, "viewer")
	bundle.assign(t, ada, path, eve, object{"roleId": "admin"})

	denying := bundle.role(t, ben, path, object{"deniedPermissions": []string{"organization.assignment.delete"}})
	for name, above := range map[string]person{"by a member's role": cleo, "by an assignment": eve} {
		require.Equal(t, "GRANT_EXCEEDS_OWN", bundle.tryAssign(ben, path, above, object{"roleId": denying}).Reason(), name)
	}
	require.Equal(t, "GRANT_EXCEEDS_OWN",
		bundle.REST("PATCH", memberPath(path, cleo), ben.token, object{"roleIds": []string{"admin", denying}}).Reason())

	harmless := bundle.role(t, ben, path, object{"permissions": []string{"workflow.task.read"}})
	bundle.assign(t, ben, path, cleo, object{"roleId": harmless})
	turned := bundle.REST("PATCH", path+"/roles/"+harmless, ben.token, object{"deniedPermissions": []string{"organization.assignment.delete"}})
	require.Equal(t, "GRANT_EXCEEDS_OWN", turned.Reason(), turned.Text)
	require.Equal(t, 200, bundle.REST("PATCH", path+"/roles/"+harmless, ben.token, object{"displayName": "Another name"}).Status)

	team := bundle.REST("POST", path+"/teams", ada.token, object{"displayName": "Team"}).Body["id"].(string)
	added := bundle.REST("POST", path+"/teams/"+team+"/members", ada.token, object{"userId": cleo.UserID.String()})
	require.Equal(t, 200, added.Status, added.Text)
	toTeam := object{"roleId": denying, "subject": object{"type": "TEAM", "id": team}}
	require.Equal(t, "GRANT_EXCEEDS_OWN", bundle.tryAssign(ben, path, dan, toTeam).Reason())

	assignment := bundle.assign(t, ben, path, dan, object{"roleId": denying})
	require.Equal(t, 200, bundle.REST("DELETE", path+"/assignments/"+assignment, cleo.token, nil).Status, "whoever is above lifts it")
}

// Nobody, the only owner included, denies an owner what it takes to put the organization right again.
func TestAnOwnerIsNeverDisarmed(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "admin")
	disarming := bundle.role(t, ada, path, object{"deniedPermissions": []string{"organization.assignment.delete"}})
	require.Equal(t, "OWNER_NOT_DENIABLE", bundle.tryAssign(ada, path, ada, object{"roleId": disarming}).Reason())
	require.Equal(t, "OWNER_NOT_DENIABLE",
		bundle.REST("PATCH", memberPath(path, ada), ada.token, object{"roleIds": []string{"owner", disarming}}).Reason())

	bundle.assign(t, ada, path, ben, object{"roleId": disarming})
	promoted := bundle.REST("PATCH", memberPath(path, ben), ada.token, object{"roleIds": []string{"owner"}})
	require.Equal(t, "OWNER_NOT_DENIABLE", promoted.Reason(), promoted.Text)

	denying := bundle.role(t, ada, path, object{"deniedPermissions": []string{writeTasks}})
	bundle.assign(t, ada, path, ada, object{"roleId": denying})
	require.Equal(t, "denied:"+denying, bundle.check(t, path, ada, writeTasks, ""), "what else there is, owners may deny to themselves")
	turned := bundle.REST("PATCH", path+"/roles/"+denying, ada.token, object{"deniedPermissions": []string{writeTasks, "organization.role.update"}})
	require.Equal(t, "OWNER_NOT_DENIABLE", turned.Reason(), turned.Text)
}

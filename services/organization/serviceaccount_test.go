package organization

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
)

// robot is a service account that identity tells of.
type robot struct{ organizationID, id string }

func (r robot) created() proto.Message {
	return &identityv1.ServiceAccountCreated{OrganizationId: r.organizationID, ServiceAccountId: r.id, DisplayName: "Robot", Revision: 1}
}

func (r robot) updated(name string, revision int64) proto.Message {
	return &identityv1.ServiceAccountUpdated{OrganizationId: r.organizationID, ServiceAccountId: r.id, DisplayName: name, Revision: revision}
}

func (r robot) deleted() proto.Message {
	return &identityv1.ServiceAccountDeleted{OrganizationId: r.organizationID, ServiceAccountId: r.id}
}

// employ gives the service account a role, and says how that went.
func (b *testBundle) employ(path string, owner person, r robot) string {
	given := b.REST("POST", path+"/assignments", owner.token, object{"subject": object{"type": "SERVICE_ACCOUNT", "id": r.id}, "roleId": "member"})
	return given.Reason()
}

func (b *testBundle) reasonFor(path string, owner person, r robot) any {
	return b.REST("POST", path+"/access:check", owner.token, object{"permission": writeTasks, "userId": r.id}).Body["reason"]
}

func TestServiceAccountsHaveRolesUntilTheyAreGone(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	organizationID, path := bundle.found(t, ada, "Acme")
	r := robot{organizationID.String(), id.New().String()}
	require.Equal(t, "SUBJECT_UNKNOWN", bundle.employ(path, ada, r), "nobody has told of it")
	for range 2 {
		require.NoError(t, bundle.hear(t, r.created()))
	}
	require.Equal(t, "not_a_member", bundle.reasonFor(path, ada, robot{r.organizationID, id.New().String()}))
	require.Equal(t, "no_role_with_permission", bundle.reasonFor(path, ada, r), "it belongs to the organization, and has nothing")
	require.Empty(t, bundle.employ(path, ada, r))
	require.Equal(t, "role:member", bundle.reasonFor(path, ada, r))
	bundle.takeEvents(t)

	require.NoError(t, bundle.hear(t, r.deleted()))
	require.Equal(t, []string{"organization.assignment.deleted"}, types(bundle.takeEvents(t)))
	require.Equal(t, "not_a_member", bundle.reasonFor(path, ada, r))
	require.NoError(t, bundle.hear(t, r.deleted()))
	require.Empty(t, bundle.takeEvents(t), "told twice, done once")
	require.Equal(t, "SUBJECT_UNKNOWN", bundle.employ(path, ada, r))
}

func TestServiceAccountsComeInAnyOrder(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	organizationID, path := bundle.found(t, ada, "Acme")
	nameOf := func(r robot) (name string) {
		err := bundle.database.Admin.QueryRow(t.Context(), `select display_name from service_account where id = $1`, r.id).Scan(&name)
		require.NoError(t, err)
		return name
	}
	r := robot{organizationID.String(), id.New().String()}
	require.NoError(t, bundle.hear(t, r.updated("Three", 3)))
	for _, older := range []proto.Message{r.created(), r.updated("Two", 2), r.updated("Three", 3)} {
		require.NoError(t, bundle.hear(t, older))
		require.Equal(t, "Three", nameOf(r))
	}
	require.Empty(t, bundle.employ(path, ada, r), "an update alone makes it known")

	gone := robot{organizationID.String(), id.New().String()}
	require.NoError(t, bundle.hear(t, gone.deleted()))
	for _, late := range []proto.Message{gone.created(), gone.updated("Later", 9)} {
		require.NoError(t, bundle.hear(t, late))
		require.Equal(t, "SUBJECT_UNKNOWN", bundle.employ(path, ada, gone), "what is gone does not come back")
		require.Equal(t, "not_a_member", bundle.reasonFor(path, ada, gone))
		require.Empty(t, nameOf(gone))
	}
}

func TestServiceAccountsOfNoOrganizationAreDoneWith(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	r := robot{id.New().String(), id.New().String()}
	require.NoError(t, bundle.hear(t, r.deleted()))
	require.Error(t, bundle.hear(t, robot{"", r.id}.deleted()))
	require.Error(t, bundle.hear(t, robot{r.organizationID, ""}.created()))
}

package identity_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
)

// makeKey tries to make a key for a service account as somebody.
func (h *harness) makeKey(session string, r robot, scopes ...string) (*identityv1.ApiKey, error) {
	return h.apiKeys(session).CreateApiKey(h.t.Context(), &identityv1.CreateApiKeyRequest{
		OrganizationId: r.organization.String(), ServiceAccountId: r.id, DisplayName: "Key", Scopes: scopes,
	})
}

func TestNobodyMakesAKeyForMoreThanTheyHold(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	r := h.newRobot("owner", "identity.*", "organization.ownership.read")
	admin, user := h.member("ada@example.com", r.organization, "admin")
	for _, beyond := range []string{"organization.*", "organization.ownership.read"} {
		_, err := h.makeKey(admin, r, "workflow.task.read", beyond)
		require.Equal(t, "GRANT_EXCEEDS_OWN", reasonOf(t, err), beyond)
	}
	key, err := h.makeKey(admin, r, "identity.service_account.read", "workflow.*")
	require.NoError(t, err)
	require.Equal(t, user.GetId(), key.GetCreatorId())
	_, err = h.makeKey(admin, r, "workflow.task.invent")
	require.Equal(t, []string{"scopes[0]"}, fieldsOf(t, err), "what names nothing is refused as such")

	_, err = h.apiKeys(admin).RotateApiKey(t.Context(), &identityv1.RotateApiKeyRequest{
		OrganizationId: r.organization.String(), ServiceAccountId: r.id, KeyId: r.key.GetId(),
	})
	require.Equal(t, "GRANT_EXCEEDS_OWN", reasonOf(t, err), "nor takes one over by rotating it")
	require.NoError(t, h.list(r.key.GetSecret(), r.organization), "which has changed nothing")
}

func TestAKeyIsGoodForWhatItsMakerHolds(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	r := h.newRobot("owner", "identity.*")
	admin, maker := h.member("ada@example.com", r.organization, "admin")
	key, err := h.makeKey(admin, r, "identity.service_account.read")
	require.NoError(t, err)
	issued := h.trade(robot{organization: r.organization, id: r.id, key: key}, "")
	for _, secret := range []string{key.GetSecret(), issued} {
		require.NoError(t, h.list(secret, r.organization))
	}

	h.roles.Grant(r.organization, id.MustParse(maker.GetId()), "viewer")
	for _, secret := range []string{key.GetSecret(), issued} {
		require.Equal(t, "KEY_EXCEEDS_MAKER", h.refusedAfterChange(secret, r.organization))
	}
	require.NoError(t, h.list(r.key.GetSecret(), r.organization), "the other key is somebody else's")

	rotated, err := h.apiKeys(r.admin).RotateApiKey(t.Context(), &identityv1.RotateApiKeyRequest{
		OrganizationId: r.organization.String(), ServiceAccountId: r.id, KeyId: key.GetId(),
	})
	require.NoError(t, err)
	require.NotEqual(t, maker.GetId(), rotated.GetCreatorId())
	require.NoError(t, h.list(rotated.GetSecret(), r.organization), "rotated by somebody who holds it, it is good again")
}

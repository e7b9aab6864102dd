package organization

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/consumer"
)

// hear applies an event as the inbox does, under the worker role.
func (b *testBundle) hear(t *testing.T, message proto.Message) error {
	t.Helper()
	data, err := proto.Marshal(message)
	require.NoError(t, err)
	event := bus.Event{
		ID: id.New(), Type: bus.TypeOf(message), Schema: string(message.ProtoReflect().Descriptor().FullName()), Data: data,
	}
	handlers := consumer.Identity(b.app)
	handler, known := handlers[event.Type]
	if !known {
		handler = handlers["identity.user.updated"]
	}
	return b.database.DB.InWorkerTx(t.Context(), func(ctx context.Context, tx *pg.Tx) error { return handler(ctx, tx, []bus.Event{event}) })
}

func (b *testBundle) nameOf(t *testing.T, path string, asked, about person) string {
	t.Helper()
	for _, listed := range b.REST("GET", path+"/members", asked.token, nil).Body["members"].([]any) {
		if member := listed.(map[string]any); member["userId"] == about.UserID.String() {
			return member["displayName"].(string)
		}
	}
	return ""
}

func updated(who person, name string, revision int64) *identityv1.UserUpdated {
	return &identityv1.UserUpdated{UserId: who.UserID.String(), DisplayName: name, Email: name + "@example.com", Revision: revision}
}

func TestProfilesFollowIdentityTwiceAndOutOfOrder(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	_, second := bundle.found(t, ada, "Second")
	bundle.join(t, ada, path, ben, "viewer")

	for _, heard := range []struct {
		name     string
		revision int64
		want     string
	}{{"Ada Two", 2, "Ada Two"}, {"Ada Two", 2, "Ada Two"}, {"Ada Four", 4, "Ada Four"}, {"Ada Three", 3, "Ada Four"}, {"Ada Two", 2, "Ada Four"}} {
		require.NoError(t, bundle.hear(t, updated(ada, heard.name, heard.revision)))
		require.Equal(t, heard.want, bundle.nameOf(t, path, ada, ada))
		require.Equal(t, heard.want, bundle.nameOf(t, second, ada, ada), "one profile for all memberships")
	}
	require.Equal(t, "ben", bundle.nameOf(t, path, ada, ben))

	answer := bundle.REST("POST", path+"/invitations", ada.token, map[string]any{"email": "ada four@example.com", "roleId": "viewer"})
	require.Equal(t, 400, answer.Status)
	require.NoError(t, bundle.hear(t, updated(ben, "benjamin", 2)))
	answer = bundle.REST("POST", path+"/invitations", ada.token, map[string]any{"email": "Benjamin@example.com", "roleId": "viewer"})
	require.Equal(t, "MEMBER_EXISTS", answer.Reason(), "by the new address")
}

// The change is heard of after the values were read for joining, and before the membership is there.
func TestAChangeWhileJoiningIsNotLost(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	require.NoError(t, bundle.hear(t, updated(ben, "Benjamin", 2)))
	bundle.join(t, ada, path, ben, "viewer")
	require.Equal(t, "Benjamin", bundle.nameOf(t, path, ada, ben))
}

func TestAMalformedEventIsItsOwnFailure(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	require.Error(t, bundle.hear(t, &identityv1.UserUpdated{UserId: "nobody", Revision: 1}))
	require.ErrorIs(t, bundle.hear(t, &organizationv1.MemberAdded{}), bus.ErrMalformed)
}

func TestWhoSignedInByTheConnectionIsAMember(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	organizationID, path := bundle.found(t, ada, "Acme")
	provisioned := &identityv1.SsoUserProvisioned{
		OrganizationId: organizationID.String(), UserId: ben.UserID.String(), RoleId: "viewer", DisplayName: "Ben by SSO",
		Email: "ben@example.com", Revision: 1,
	}
	require.NoError(t, bundle.hear(t, provisioned))
	provisioned.RoleId = "member"
	require.NoError(t, bundle.hear(t, provisioned), "who is a member stays what they are")
	require.Equal(t, "Ben by SSO", bundle.nameOf(t, path, ada, ben))
	members := bundle.REST("GET", path+"/members", ben.token, nil).Body["members"].([]any)
	require.Len(t, members, 2)
	for _, listed := range members {
		if member := listed.(map[string]any); member["userId"] == ben.UserID.String() {
			require.Equal(t, []any{"viewer"}, member["roleIds"])
		}
	}

	provisioned.RoleId = "owner"
	require.Error(t, bundle.hear(t, provisioned), "nobody becomes an owner by a provider")
	provisioned.RoleId, provisioned.OrganizationId = "member", ada.UserID.String()
	require.NoError(t, bundle.hear(t, provisioned), "an organization that is gone")
}

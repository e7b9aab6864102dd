package organization

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

func TestASuspendedMemberIsListedAndRefusedEverything(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, cleo := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("cleo")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "admin")
	_, invitation := bundle.invite(t, ben, path, cleo.Email, "viewer")
	bundle.takeEvents(t)

	answer := bundle.REST("POST", memberPath(path, ben)+":suspend", ada.token, map[string]any{"reason": "Lost laptop of Ben"})
	require.Equal(t, 200, answer.Status, answer.Text)
	require.Equal(t, "SUSPENDED", answer.Body["state"])
	require.Equal(t, "Lost laptop of Ben", answer.Body["suspendReason"])
	require.Equal(t, "2026-01-02T03:04:05Z", answer.Body["suspendTime"])
	require.Equal(t, []any{"admin"}, answer.Body["roleIds"])
	listed := bundle.REST("GET", path+`/members?filter=state%20%3D%20SUSPENDED`, ada.token, nil).Body["members"].([]any)
	require.Len(t, listed, 1)
	require.NotEmpty(t, answer.Body["accessRevision"])
	answer.Body["accessRevision"] = "" // A list is no write.
	require.Equal(t, answer.Body, listed[0])

	for _, request := range []struct{ method, path string }{
		{"GET", path}, {"GET", path + "/members"}, {"DELETE", memberPath(path, ben)}, {"POST", path + "/teams"},
	} {
		var body any
		if request.method == "POST" {
			body = map[string]any{"displayName": "Mine"}
		}
		refused := bundle.REST(request.method, request.path, ben.token, body)
		require.Equal(t, 403, refused.Status, request.path)
		require.Equal(t, "MEMBER_SUSPENDED", refused.Reason(), request.path)
	}
	require.Equal(t, "INVITATION_NOT_PENDING", bundle.REST("POST", acceptPath, cleo.token, map[string]any{"token": invitation}).Reason(),
		"what one who is suspended gives is nothing")
	check := bundle.REST("POST", path+"/access:check", ada.token, map[string]any{"permission": "organization.member.read", "userId": ben.UserID.String()})
	require.Equal(t, "suspended", check.Body["reason"], check.Text)
	again := bundle.REST("POST", memberPath(path, ben)+":suspend", ada.token, map[string]any{"reason": "Another"})
	again.Body["accessRevision"] = ""
	require.Equal(t, answer.Body, again.Body, "the first reason stays")

	resumed := bundle.REST("POST", memberPath(path, ben)+":resume", ada.token, map[string]any{})
	require.Equal(t, "ACTIVE", resumed.Body["state"], resumed.Text)
	require.Empty(t, resumed.Body["suspendReason"])
	require.Equal(t, 200, bundle.REST("GET", path+"/members", ben.token, nil).Status)
	events := bundle.takeEvents(t)
	require.Equal(t, []string{"organization.member.suspended", "organization.member.resumed"}, types(events))
	for _, event := range events {
		require.NotContains(t, prototext.Format(event.Payload), "laptop")
	}
	held, err := bundle.app.GetEffectivePermissions(t.Context(), organizationID, ben.UserID, 0)
	require.NoError(t, err)
	require.False(t, held.GetSuspended())
}

func TestNobodyIsSuspendedByThemselvesOrFromBelow(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, cleo := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("cleo")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "admin")
	bundle.join(t, ada, path, cleo, "member")
	bundle.takeEvents(t)
	for reason, request := range map[string][2]person{
		"SUSPEND_SELF": {ben, ben}, "GRANT_EXCEEDS_OWN": {ben, ada}, "PERMISSION_DENIED": {cleo, ben},
	} {
		answer := bundle.REST("POST", memberPath(path, request[1])+":suspend", request[0].token, map[string]any{})
		require.Equal(t, reason, answer.Reason(), answer.Text)
	}
	require.Equal(t, 404, bundle.REST("POST", path+"/members/"+id.New().String()+":suspend", ada.token, map[string]any{}).Status)
	require.Empty(t, bundle.takeEvents(t))
}

// A suspended owner is none that keeps the organization going.
func TestTheLastActiveOwnerStays(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "owner")
	require.Equal(t, 200, bundle.REST("POST", memberPath(path, ben)+":suspend", ada.token, map[string]any{}).Status)
	require.Equal(t, "LAST_OWNER", bundle.REST("DELETE", memberPath(path, ada), ada.token, nil).Reason())
	require.Equal(t, "LAST_OWNER", bundle.REST("PATCH", memberPath(path, ada), ada.token, map[string]any{"roleIds": []string{"admin"}}).Reason())
	require.Equal(t, 200, bundle.REST("DELETE", memberPath(path, ben), ada.token, nil).Status, "the suspended one may go")
}

func TestTwoOwnersCantSuspendEachOther(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "owner")
	suspend := func(who person) work {
		return func(ctx context.Context, tx *pg.Tx) error {
			_, err := bundle.app.SuspendMember(ctx, tx, organizationID, who.UserID, "")
			return err
		}
	}
	first, late := bundle.collide(t, organizationID, ada, suspend(ben), ben, suspend(ada))
	require.NoError(t, first)
	require.Equal(t, errs.PermissionDenied, errs.KindOf(late))
	require.ErrorIs(t, late, domain.ErrMemberSuspended)
}

// What a guest may do beside this is what is assigned to them.
func TestAGuestSeesTheOrganizationsNameOnly(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, gus := bundle.meet("ada"), bundle.meet("gus")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, gus, "guest")
	require.Equal(t, "Acme", bundle.REST("GET", path, gus.token, nil).Body["displayName"])
	for _, list := range []string{"/members", "/teams", "/roles", "/invitations"} {
		answer := bundle.REST("GET", path+list, gus.token, nil)
		require.Equal(t, "PERMISSION_DENIED", answer.Reason(), list)
	}
	require.Equal(t, 200, bundle.REST("DELETE", memberPath(path, gus), gus.token, nil).Status, "a guest may leave")
}

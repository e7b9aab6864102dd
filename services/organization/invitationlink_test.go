package organization

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/testkit/rpctest"
)

const acceptLinkPath = "/api/v1/invitation-links:accept"

// link makes an invitation link and returns its path and its token.
func (b *testBundle) link(t *testing.T, who person, path string, wanted map[string]any) (linkPath, token string) {
	t.Helper()
	answer := b.REST("POST", path+"/invitation-links", who.token, wanted)
	require.Equal(t, 200, answer.Status, answer.Text)
	return path + "/invitation-links/" + answer.Body["invitationLink"].(map[string]any)["id"].(string), answer.Body["token"].(string)
}

func (b *testBundle) useLink(who person, token string) rpctest.Answer {
	return b.REST("POST", acceptLinkPath, who.token, map[string]any{"token": token})
}

func TestALinkIsUsedExactlyAsOftenAsItSays(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	organizationID, path := bundle.found(t, ada, "Acme")
	_, token := bundle.link(t, ada, path, map[string]any{"roleId": "member", "maxUses": 3})
	var group sync.WaitGroup
	var joined atomic.Int32
	for i := range 8 {
		who := bundle.meet(fmt.Sprint("guest", i))
		group.Go(func() {
			answer := bundle.useLink(who, token)
			switch {
			case answer.Status == 200:
				joined.Add(1)
			case answer.Reason() != "INVITATION_LINK_NOT_ACTIVE" || answer.Metadata()["state"] != "USED_UP":
				t.Error(answer.Text)
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 3, joined.Load())
	require.Equal(t, 4, bundle.rows(t, "member", organizationID))
	listed := bundle.REST("GET", path+"/invitation-links?filter=state%20%3D%20USED_UP", ada.token, nil).Body["invitationLinks"].([]any)
	require.EqualValues(t, 3, listed[0].(map[string]any)["uses"])
	for _, table := range []string{"invitation_link", "invitation_link_token", "outbox", "idempotency"} {
		var text string
		require.NoError(t, bundle.database.Admin.QueryRow(t.Context(), `select coalesce(string_agg(t::text, ' '), '') from `+table+` t`).Scan(&text))
		require.NotContains(t, text, token, table)
	}
}

func TestALinkIsForItsDomainAndItsTime(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, eve := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("eve")
	eve.Email = "eve@sub.example.com"
	bundle.people.add(eve.Person)
	_, path := bundle.found(t, ada, "Acme")
	bundle.takeEvents(t)
	linkPath, token := bundle.link(t, ada, path, map[string]any{"roleId": "guest", "maxUses": 5, "emailDomain": "Example.com"})
	require.Equal(t, "INVITATION_LINK_OTHER_DOMAIN", bundle.useLink(eve, token).Reason())
	require.Equal(t, 404, bundle.useLink(eve, token+"x").Status)
	accepted := bundle.useLink(ben, token)
	require.Equal(t, []any{"guest"}, accepted.Body["member"].(map[string]any)["roleIds"], accepted.Text)
	require.Equal(t, "MEMBER_EXISTS", bundle.useLink(ben, token).Reason())
	require.Equal(t, []string{"organization.invitation_link.created", "organization.invitation_link.used", "organization.member.added"}, types(bundle.takeEvents(t)))

	revoked := bundle.REST("POST", linkPath+":revoke", ada.token, map[string]any{})
	require.Equal(t, "REVOKED", revoked.Body["state"])
	require.EqualValues(t, 1, revoked.Body["uses"], "a refused use is none")
	require.Equal(t, "REVOKED", bundle.useLink(bundle.meet("late"), token).Metadata()["state"])
	_, token = bundle.link(t, ada, path, map[string]any{"roleId": "guest"})
	bundle.clock.Advance(7 * 24 * time.Hour)
	require.Equal(t, "EXPIRED", bundle.useLink(bundle.meet("later"), token).Metadata()["state"])
	for _, wrong := range []map[string]any{
		{"roleId": "guest", "expireTime": "2026-01-02T00:00:00Z"}, {"roleId": "guest", "expireTime": "0001-01-01T00:00:00Z"}, {"roleId": "guest", "expireTime": "2028-01-02T00:00:00Z"},
		{"roleId": "guest", "emailDomain": "no domain"}, {"roleId": "king"}, {"roleId": "guest", "maxUses": 10001},
	} {
		require.Equal(t, 400, bundle.REST("POST", path+"/invitation-links", ada.token, wrong).Status, wrong)
	}
}

func TestALinkGivesNoMoreThanItsMakerMay(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "admin")
	require.Equal(t, "GRANT_EXCEEDS_OWN", bundle.REST("POST", path+"/invitation-links", ben.token, map[string]any{"roleId": "owner"}).Reason())
	_, token := bundle.link(t, ben, path, map[string]any{"roleId": "admin", "maxUses": 9})
	require.Equal(t, 200, bundle.REST("POST", memberPath(path, ben)+":suspend", ada.token, map[string]any{}).Status)
	require.Equal(t, "ACTIVE", bundle.useLink(bundle.meet("cleo"), token).Metadata()["state"])
	require.Equal(t, 200, bundle.REST("POST", memberPath(path, ben)+":resume", ada.token, map[string]any{}).Status)
	require.Equal(t, 200, bundle.REST("PATCH", memberPath(path, ben), ada.token, map[string]any{"roleIds": []string{"member"}}).Status)
	require.Equal(t, "INVITATION_LINK_NOT_ACTIVE", bundle.useLink(bundle.meet("dora"), token).Reason())
	require.Equal(t, 200, bundle.REST("DELETE", memberPath(path, ben), ada.token, nil).Status)
	require.Equal(t, "INVITATION_LINK_NOT_ACTIVE", bundle.useLink(bundle.meet("ed"), token).Reason())
}

func TestManyAreInvitedAtOnce(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "admin")
	bundle.takeEvents(t)
	rows := []map[string]any{
		{"email": "one@example.com", "roleId": "member"}, {"email": "ONE@example.com", "roleId": "viewer"}, {"email": ben.Email, "roleId": "member"},
		{"email": "no address", "roleId": "member"}, {"email": "two@example.com", "roleId": "owner"}, {"email": "three@example.com", "roleId": "king"},
		{"email": "four@example.com", "roleId": "guest"},
	}
	answer := bundle.REST("POST", path+"/invitations:batchCreate", ben.token, map[string]any{"rows": rows}, rpctest.IdempotencyKey("many"))
	require.Equal(t, 200, answer.Status, answer.Text)
	require.EqualValues(t, 2, answer.Body["createdCount"])
	var reasons []any
	for _, result := range answer.Body["results"].([]any) {
		reasons = append(reasons, result.(map[string]any)["reason"])
	}
	require.Equal(t, []any{"", "INVITATION_EXISTS", "MEMBER_EXISTS", "INVALID_ARGUMENT", "GRANT_EXCEEDS_OWN", "ROLE_UNKNOWN", ""}, reasons)
	again := bundle.REST("POST", path+"/invitations:batchCreate", ben.token, map[string]any{"rows": rows}, rpctest.IdempotencyKey("many"))
	require.Equal(t, answer.Body, again.Body)
	require.Equal(t, []string{"organization.invitation.sent", "organization.invitation.sent"}, types(bundle.takeEvents(t)))

	rows = nil
	for i := range 500 {
		rows = append(rows, map[string]any{"email": fmt.Sprintf("many%d@example.com", i), "roleId": "viewer"})
	}
	before := bundle.rows(t, "invitation", organizationID)
	require.EqualValues(t, 500, bundle.REST("POST", path+"/invitations:batchCreate", ada.token, map[string]any{"rows": rows}).Body["createdCount"])
	require.Equal(t, before+500, bundle.rows(t, "invitation", organizationID))
	rows = append(rows, rows[0])
	require.Equal(t, []string{"rows"}, bundle.REST("POST", path+"/invitations:batchCreate", ada.token, map[string]any{"rows": rows}).Fields())
}

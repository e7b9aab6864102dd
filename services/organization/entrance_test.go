package organization

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
)

func TestNobodyJoinsPastARequiredConnection(t *testing.T) {
	t.Parallel()
	c := newCaptured(t)
	cleo, dan := c.meet("cleo"), c.meet("dan")
	require.Equal(t, 200, c.REST("PATCH", c.domainPath, c.ada.token, object{"autoJoinRoleId": "member"}).Status)
	c.require(t, true)
	c.login(cleo, passwordOnly)
	refused := object{"policy": "ssoConnection", "action": "signIn", "ssoConnectionId": c.connection.String()}
	requireForbidden(t, c.REST("POST", c.path+":join", cleo.token, object{}), refused)
	_, token := c.invite(t, c.ada, c.path, dan.Email, "member")
	c.login(dan, passwordOnly)
	requireForbidden(t, c.REST("POST", "/api/v1/invitations:accept", dan.token, object{"token": token}), refused)

	c.came(cleo, c.connection, false)
	require.Equal(t, 200, c.REST("POST", c.path+":join", cleo.token, object{}).Status)
	c.came(dan, c.connection, false)
	require.Equal(t, 200, c.REST("POST", "/api/v1/invitations:accept", dan.token, object{"token": token}).Status)
}

func TestNobodyJoinsFromOutsideTheNetworks(t *testing.T) {
	t.Parallel()
	c := newCaptured(t)
	ben := c.meet("guest")
	require.Equal(t, 200, c.REST("PATCH", c.domainPath, c.ada.token, object{"autoJoinRoleId": "member"}).Status)
	_, link := c.link(t, c.ada, c.path, object{"roleId": "viewer"})
	_, invitation := c.invite(t, c.ada, c.path, ben.Email, "member")
	c.setPolicy(t, c.ada, c.path, object{"allowedNetworks": []string{"203.0.113.0/24"}}, from("203.0.113.7"))
	facts := object{"policy": "address", "address": "198.51.100.1"}
	outside := from("198.51.100.1")
	requireForbidden(t, c.REST("POST", c.path+":join", ben.token, object{}, outside), facts)
	requireForbidden(t, c.REST("POST", acceptLinkPath, ben.token, object{"token": link}, outside), facts)
	requireForbidden(t, c.REST("POST", "/api/v1/invitations:accept", ben.token, object{"token": invitation}, outside), facts)
	accepted := c.REST("POST", "/api/v1/invitations:accept", ben.token, object{"token": invitation}, from("203.0.113.8"))
	require.Equal(t, 200, accepted.Status, accepted.Text)
}

func TestWhoWasRemovedComesBackByInvitationOnly(t *testing.T) {
	t.Parallel()
	c := newCaptured(t)
	require.Equal(t, 200, c.REST("PATCH", c.domainPath, c.ada.token, object{"autoJoinRoleId": "member"}).Status)
	_, older := c.link(t, c.ada, c.path, object{"roleId": "viewer", "maxUses": 5})
	c.clock.Advance(1e9)
	require.Equal(t, 200, c.REST("DELETE", memberPath(c.path, c.ben), c.ada.token, nil).Status)
	refused := c.REST("POST", c.path+":join", c.ben.token, object{})
	require.Equal(t, 403, refused.Status, refused.Text)
	require.Equal(t, "MEMBER_REMOVED", refused.Reason())
	require.Empty(t, c.REST("GET", "/api/v1/me/joinable-organizations", c.ben.token, nil).Body["organizations"])
	require.Equal(t, "MEMBER_REMOVED", c.REST("POST", acceptLinkPath, c.ben.token, object{"token": older}).Reason())
	require.NoError(t, c.hear(t, &identityv1.SsoUserProvisioned{
		OrganizationId: c.id.String(), UserId: c.ben.UserID.String(), RoleId: "member", DisplayName: "Ben", Email: c.ben.Email,
	}))
	require.Equal(t, 404, c.status(c.ben))

	c.clock.Advance(1e9)
	_, newer := c.link(t, c.ada, c.path, object{"roleId": "viewer"})
	require.Equal(t, 200, c.REST("POST", acceptLinkPath, c.ben.token, object{"token": newer}).Status)
	require.Equal(t, 200, c.REST("DELETE", memberPath(c.path, c.ben), c.ben.token, nil).Status)
	require.Equal(t, 200, c.REST("POST", c.path+":join", c.ben.token, object{}).Status, "who left by themselves comes back as they came")

	require.Equal(t, 200, c.REST("DELETE", memberPath(c.path, c.ben), c.ada.token, nil).Status)
	c.join(t, c.ada, c.path, c.ben, "member")
}

func TestNobodyIsKeptIn(t *testing.T) {
	t.Parallel()
	c := newCaptured(t)
	require.Equal(t, 200, c.REST("PATCH", c.domainPath, c.ada.token, object{"autoJoinRoleId": "member"}).Status)
	cleo := c.meet("cleo")
	c.join(t, c.ada, c.path, cleo, "member")
	c.login(cleo, passwordOnly)
	require.Equal(t, 200, c.REST("POST", memberPath(c.path, c.ben)+":suspend", c.ada.token, object{"reason": "x"}).Status)
	require.Equal(t, "MEMBER_SUSPENDED", c.REST("GET", c.path, c.ben.token, nil).Reason())
	require.Equal(t, "MEMBER_SUSPENDED", c.REST("DELETE", memberPath(c.path, cleo), c.ben.token, nil).Reason(), "others")
	left := c.REST("DELETE", memberPath(c.path, c.ben), c.ben.token, nil)
	require.Equal(t, 200, left.Status, left.Text)
	require.Equal(t, "MEMBER_REMOVED", c.REST("POST", c.path+":join", c.ben.token, object{}).Reason(), "leaving ends no suspension")

	c.login(c.ada, bothFactors)
	c.setPolicy(t, c.ada, c.path, object{"secondFactor": "REQUIRED", "secondFactorGraceDays": 0})
	require.Equal(t, 403, c.status(cleo))
	require.Equal(t, 403, c.REST("DELETE", memberPath(c.path, c.olga), cleo.token, nil).Status)
	left = c.REST("DELETE", memberPath(c.path, cleo), cleo.token, nil)
	require.Equal(t, 200, left.Status, left.Text)
	require.Equal(t, 404, c.REST("DELETE", memberPath(c.path, cleo), cleo.token, nil).Status)
}

func TestACapturedDomainGoesWithTheConnectionOnly(t *testing.T) {
	t.Parallel()
	c := newCaptured(t)
	cleo := c.meet("cleo")
	cleo.Email = "cleo@hq.example"
	c.people.add(cleo.Person)
	c.join(t, c.ada, c.path, cleo, "admin")
	c.require(t, true)
	for _, refused := range []string{
		c.REST("DELETE", c.domainPath, cleo.token, nil).Reason(), c.REST("PATCH", c.domainPath, cleo.token, object{"capture": false}).Reason(),
	} {
		require.Equal(t, "PERMISSION_DENIED", refused)
	}
	require.Equal(t, "identity.sso_connection.delete", c.REST("DELETE", c.domainPath, cleo.token, nil).Metadata()["permission"])
	require.Equal(t, 403, c.status(c.olga), "still required")
	require.Equal(t, 200, c.REST("DELETE", c.domainPath, c.ada.token, nil).Status)
	require.Equal(t, 200, c.status(c.olga))
}

func TestNobodyOwnsByAnAddressAlone(t *testing.T) {
	t.Parallel()
	c := newCaptured(t)
	refused := c.REST("PATCH", c.domainPath, c.ada.token, object{"autoJoinRoleId": "owner"})
	require.Equal(t, "ROLE_NOT_ASSIGNABLE", refused.Reason())
	require.Contains(t, refused.Text, `"field":"autoJoinRoleId"`)
	for _, name := range []string{".com", "a..b.com", "a.b..com"} {
		answer := c.REST("POST", c.path+"/domains", c.ada.token, object{"name": name})
		require.Equal(t, "INVALID_ARGUMENT", answer.Reason(), answer.Text)
		require.Contains(t, answer.Text, "must be the name of a domain")
	}
}

func TestAnOfferIsReadByWhomItIsMadeTo(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, cleo := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("cleo")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "member")
	bundle.join(t, ada, path, cleo, "member")
	read := func(who person) int { return bundle.REST("GET", path+"/ownership-transfer", who.token, nil).Status }
	require.Equal(t, 403, read(ben))
	require.Empty(t, bundle.offer(path, ada, ben))
	require.Equal(t, 200, read(ben))
	require.Equal(t, 403, read(cleo))
	require.Equal(t, 200, read(ada))
}

func TestARowOfABatchSaysWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	answer := bundle.REST("POST", path+"/invitations:batchCreate", ada.token, object{"rows": []object{
		{"email": "no address", "roleId": "member"}, {"email": strings.Repeat("a", 300) + "@example.com", "roleId": "member"},
		{"email": "eve@example.com"}, {"email": "eve@example.com", "roleId": "member"},
	}})
	require.Equal(t, 200, answer.Status, answer.Text)
	fields := []any{}
	for _, result := range answer.Body["results"].([]any) {
		fields = append(fields, result.(object)["field"])
	}
	require.Equal(t, []any{"email", "email", "roleId", ""}, fields)
	require.EqualValues(t, 1, answer.Body["createdCount"])
}

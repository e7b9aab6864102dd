package organization

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
)

// captured is an organization whose members with an address at example.com sign in by its connection; it is verified, and
// captures them.
type captured struct {
	*testBundle
	id         id.ID
	path       string
	domainPath string
	// ada owns it from elsewhere, ben and olga have captured addresses, olga as an owner.
	ada, ben, olga person
	connection     id.ID
}

func newCaptured(t *testing.T) *captured {
	t.Helper()
	c := &captured{testBundle: setupPolicy(t), connection: id.New()}
	names := c.named(t)
	c.ada, c.ben, c.olga = c.meet("ada"), c.meet("ben"), c.meet("olga")
	c.ada.Email = "ada@hq.example"
	c.people.add(c.ada.Person)
	c.id, c.path = c.found(t, c.ada, "Acme")
	c.join(t, c.ada, c.path, c.ben, "member")
	c.join(t, c.ada, c.path, c.olga, "owner")
	for _, who := range []person{c.ada, c.ben, c.olga} {
		c.login(who, passwordOnly)
	}
	var recordName, recordValue string
	c.domainPath, recordName, recordValue = c.claim(t, c.ada, c.path, "example.com")
	names.Publish(recordName, recordValue)
	require.Empty(t, c.verify(c.ada, c.domainPath))
	c.capture(t, true)
	return c
}

func (c *captured) capture(t *testing.T, on bool) {
	t.Helper()
	require.Equal(t, 200, c.REST("PATCH", c.domainPath, c.ada.token, object{"capture": on}).Status)
}

// require tells the organization whether its connection is required, twice, as identity may.
func (c *captured) require(t *testing.T, required bool) {
	t.Helper()
	for range 2 {
		require.NoError(t, c.hear(t, &identityv1.SsoConnectionUpdated{
			OrganizationId: c.id.String(), SsoConnectionId: c.connection.String(), Required: required,
		}))
	}
}

// came lets somebody's session be one that passed a connection.
func (c *captured) came(of person, connectionID id.ID, brokeGlass bool) {
	c.Tokens.Session(of.token, call.Actor{
		Kind: call.User, UserID: of.UserID, SessionID: id.New(), AuthTime: c.clock.Now(), Methods: call.Provider | call.Strong,
		Passed: connectionID, BrokeGlass: brokeGlass,
	})
}

func (c *captured) status(who person) int { return c.REST("GET", c.path, who.token, nil).Status }

func TestSessionsFromBeforeARequiredConnectionLoseTheOrganizationAtOnce(t *testing.T) {
	t.Parallel()
	c := newCaptured(t)
	_, otherPath := c.found(t, c.ben, "Other")
	require.Equal(t, 200, c.status(c.ben))
	c.takeEvents(t)
	c.require(t, true)
	require.Equal(t, []string{"organization.sso_requirement.updated"}, types(c.takeEvents(t)), "said once")
	requireForbidden(t, c.REST("GET", c.path, c.ben.token, nil), object{
		"policy": "ssoConnection", "action": "signIn", "ssoConnectionId": c.connection.String(),
	})
	require.Equal(t, 200, c.REST("GET", otherPath, c.ben.token, nil).Status, "other organizations don't ask")
	require.Equal(t, 200, c.status(c.ada), "whose address is in no captured domain")
	require.Equal(t, 403, c.status(c.olga), "owners too")

	c.came(c.ben, c.connection, false)
	require.Equal(t, 200, c.status(c.ben))
	c.came(c.ben, id.New(), false)
	require.Equal(t, 403, c.status(c.ben), "by another organization's")

	c.Tokens.Session("machine", call.Actor{Kind: call.User, UserID: c.ben.UserID})
	require.Equal(t, 200, c.REST("GET", c.path, "machine", nil).Status, "machines have a rule of their own: apiKeys")
	c.login(c.ben, passwordOnly)
	c.capture(t, false)
	require.Equal(t, 200, c.status(c.ben))
	c.capture(t, true)
	require.Equal(t, 403, c.status(c.ben))
	c.require(t, false)
	require.Equal(t, 200, c.status(c.ben))
	c.require(t, true)
	require.NoError(t, c.hear(t, &identityv1.SsoConnectionDeleted{OrganizationId: c.id.String(), SsoConnectionId: c.connection.String()}))
	require.Equal(t, 200, c.status(c.ben))
	require.NoError(t, c.hear(t, &identityv1.SsoConnectionUpdated{OrganizationId: id.New().String(), SsoConnectionId: id.New().String(), Required: true}))
}

// Who broke the glass is let in for as long as they are an owner.
func TestABrokenGlassIsOwnersOnly(t *testing.T) {
	t.Parallel()
	c := newCaptured(t)
	c.require(t, true)
	c.came(c.olga, c.connection, true)
	c.came(c.ben, c.connection, true)
	require.Equal(t, 200, c.status(c.olga))
	require.Equal(t, 403, c.status(c.ben))
	demoted := c.REST("PATCH", c.path+"/members/"+c.olga.UserID.String(), c.ada.token, object{"roleIds": []string{"member"}})
	require.Equal(t, 200, demoted.Status, demoted.Text)
	require.Equal(t, 403, c.status(c.olga))
}

// Another address is another domain, and other processes hear of it.
func TestAnAddressThatBecomesCapturedIsHeld(t *testing.T) {
	t.Parallel()
	c := newCaptured(t)
	c.require(t, true)
	require.Equal(t, 200, c.status(c.ada))
	c.takeEvents(t)
	moved := &identityv1.UserUpdated{UserId: c.ada.UserID.String(), DisplayName: "Ada", Email: "ada@Example.com", Revision: 9}
	require.NoError(t, c.hear(t, moved))
	require.Equal(t, []string{"organization.member.address_changed"}, types(c.takeEvents(t)))
	require.Equal(t, 403, c.status(c.ada))
	moved.DisplayName, moved.Revision = "Countess", 10
	require.NoError(t, c.hear(t, moved))
	require.Empty(t, c.takeEvents(t), "a name says nothing")
}

func TestOtherServicesAskWhoOwnsAnOrganization(t *testing.T) {
	t.Parallel()
	c := newCaptured(t)
	owners, name, err := c.app.ActiveOwners(t.Context(), c.id)
	require.NoError(t, err)
	require.Equal(t, "Acme", name)
	require.ElementsMatch(t, []id.ID{c.ada.UserID, c.olga.UserID}, owners)
	owners, _, err = c.app.ActiveOwners(t.Context(), id.New())
	require.NoError(t, err)
	require.Empty(t, owners)
}

func TestASessionThatWasLeftAloneProvesItselfOnceMore(t *testing.T) {
	t.Parallel()
	bundle := setupPolicy(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	paused := func(seconds int64) {
		bundle.Tokens.Session(ada.token, call.Actor{
			Kind: call.User, UserID: ada.UserID, SessionID: id.New(), AuthTime: bundle.clock.Now(), Methods: passwordOnly,
			Pause: time.Duration(seconds) * time.Second,
		})
	}
	paused(3601)
	require.Equal(t, 400, bundle.REST("PATCH", path+"/policy", ada.token, object{"sessionMaxPause": 1799}).Status)
	locked := bundle.REST("PATCH", path+"/policy", ada.token, object{"sessionMaxPause": 3600})
	require.Equal(t, "POLICY_LOCKS_OUT", locked.Reason())
	paused(0)
	set := bundle.setPolicy(t, ada, path, object{"sessionMaxPause": 3600})
	require.EqualValues(t, 3600, set.Body["sessionMaxPause"])
	paused(3600)
	require.Equal(t, 200, bundle.REST("GET", path, ada.token, nil).Status)
	paused(3601)
	requireForbidden(t, bundle.REST("GET", path, ada.token, nil), object{"policy": "sessionPause", "action": "stepUp", "maxPause": "3600"})
}

// The domains that may be invited hold for links and for who joins by their address as for mailed invitations.
func TestInvitationDomainsHoldForLinksAndJoining(t *testing.T) {
	t.Parallel()
	bundle := setupPolicy(t)
	names := bundle.named(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.login(ada, passwordOnly)
	bundle.login(ben, passwordOnly)
	_, token := bundle.link(t, ada, path, object{"roleId": "member", "maxUses": 5})
	domainPath, recordName, recordValue := bundle.claim(t, ada, path, "example.com")
	names.Publish(recordName, recordValue)
	require.Empty(t, bundle.verify(ada, domainPath))
	require.Equal(t, 200, bundle.REST("PATCH", domainPath, ada.token, object{"autoJoinRoleId": "viewer"}).Status)
	joinable := func() []any {
		return bundle.REST("GET", "/api/v1/me/joinable-organizations", ben.token, nil).Body["organizations"].([]any)
	}
	require.Len(t, joinable(), 1)

	bundle.setPolicy(t, ada, path, object{"invitationDomains": []string{"acme.test"}})
	outside := object{"policy": "invitationDomain", "domain": "example.com"}
	requireForbidden(t, bundle.useLink(ben, token), outside)
	requireForbidden(t, bundle.REST("POST", path+":join", ben.token, object{}), outside)
	require.Empty(t, joinable(), "nothing is offered that is refused")
	narrow := bundle.REST("POST", path+"/invitation-links", ada.token, object{"roleId": "member", "emailDomain": "example.com"})
	requireForbidden(t, narrow, outside)
	require.Equal(t, []string{"emailDomain"}, narrow.Fields())

	bundle.setPolicy(t, ada, path, object{"invitationDomains": []string{"example.com"}})
	require.Equal(t, 200, bundle.useLink(ben, token).Status)
}

func TestMembersAreListedWithTitleAndPicture(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	require.NoError(t, bundle.hear(t, &identityv1.UserUpdated{
		UserId: ada.UserID.String(), DisplayName: "Ada", Email: "ada@example.com", Revision: 5, Title: "Countess", AvatarPath: "/api/v1/avatars/x",
	}))
	listed := bundle.REST("GET", path+"/members", ada.token, nil).Body["members"].([]any)[0].(map[string]any)
	require.Equal(t, "Countess", listed["title"])
	require.Equal(t, "/api/v1/avatars/x", listed["avatarPath"])
}

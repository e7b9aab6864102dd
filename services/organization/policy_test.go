package organization

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/testkit/rpctest"
)

// setupPolicy is setup with the product's own answer to who may, instead of the harness's.
func setupPolicy(t *testing.T) *testBundle {
	t.Helper()
	bundle := setup(t)
	bundle.Roles.AnswerBy(bundle.access)
	bundle.Tokens.Service("gateway-token", "gateway")
	return bundle
}

// login lets somebody's token be of a session that was proven just now by the methods.
func (b *testBundle) login(of person, methods call.Methods) {
	b.Tokens.Session(of.token, call.Actor{
		Kind: call.User, UserID: of.UserID, SessionID: id.New(), AuthTime: b.clock.Now(), Methods: methods,
	})
}

// from sends a request from an address, by the gateway.
func from(address string) rpctest.Option {
	return func(request *http.Request) {
		request.Header.Set(rpc.ForwardedForHeader, address)
		request.Header.Set(rpc.ForwardedByHeader, "gateway-token")
	}
}

const (
	passwordOnly = call.Password | call.Strong
	bothFactors  = call.Password | call.OneTimeCode | call.SeveralFactors | call.Strong
)

func (b *testBundle) setPolicy(t *testing.T, by person, path string, change object, options ...rpctest.Option) rpctest.Answer {
	t.Helper()
	answer := b.REST("PATCH", path+"/policy", by.token, change, options...)
	require.Equal(t, 200, answer.Status, answer.Text)
	return answer
}

func requireForbidden(t *testing.T, answer rpctest.Answer, facts object) {
	t.Helper()
	require.Equal(t, 403, answer.Status, answer.Text)
	require.Equal(t, "POLICY_FORBIDS", answer.Reason())
	require.Equal(t, facts, answer.Metadata())
}

func TestAPolicyIsReadAndChanged(t *testing.T) {
	t.Parallel()
	bundle := setupPolicy(t)
	ada, ben, eve := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("eve")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "member")
	bundle.takeEvents(t)

	none := bundle.REST("GET", path+"/policy", ada.token, nil)
	require.Equal(t, 200, none.Status, none.Text)
	require.Equal(t, "OPTIONAL", none.Body["secondFactor"])
	require.Equal(t, "ALLOWED", none.Body["apiKeys"])

	changed := bundle.setPolicy(t, ada, path, object{
		"secondFactor": "REQUIRED", "secondFactorGraceDays": 14, "allowedNetworks": []string{"::1/128", "127.8.8.8/8", "127.0.0.0/8"},
		"invitationDomains": []string{"Example.com"}, "etag": none.Body["etag"],
	})
	require.Equal(t, []any{"127.0.0.0/8", "::1/128"}, changed.Body["allowedNetworks"], "each once, in order")
	require.Equal(t, []any{"example.com"}, changed.Body["invitationDomains"])
	require.Equal(t, "2026-01-02T03:04:05Z", changed.Body["secondFactorTime"])
	require.Equal(t, "3", changed.Body["accessRevision"])
	require.Equal(t, "3", changed.Header.Get("X-Access-Revision"))
	events := bundle.takeEvents(t)
	require.Equal(t, []string{"organization.policy.updated"}, types(events))
	told := events[0].Payload.(*organizationv1.PolicyUpdated)
	require.Equal(t, organizationID.String(), told.GetOrganizationId())
	require.EqualValues(t, 3, told.GetAccessRevision())
	require.Equal(t, organizationv1.Policy_REQUIRED, told.GetPolicy().GetSecondFactor())

	same := bundle.setPolicy(t, ada, path, object{"secondFactor": "REQUIRED"})
	require.Equal(t, changed.Body["etag"], same.Body["etag"])
	require.Empty(t, bundle.takeEvents(t), "nothing changed")
	bundle.clock.Advance(time.Hour)
	longer := bundle.setPolicy(t, ada, path, object{"secondFactorGraceDays": 30})
	require.Equal(t, changed.Body["secondFactorTime"], longer.Body["secondFactorTime"], "the grace goes on, and doesn't begin anew")
	stale := bundle.REST("PATCH", path+"/policy", ada.token, object{"apiKeys": "FORBIDDEN", "etag": changed.Body["etag"]})
	require.Equal(t, "ETAG_MISMATCH", stale.Reason())
	cleared := bundle.REST("PATCH", path+"/policy?updateMask=allowedNetworks,secondFactor", ada.token, object{})
	require.Equal(t, 200, cleared.Status, cleared.Text)
	require.Empty(t, cleared.Body["allowedNetworks"])
	require.Equal(t, "OPTIONAL", cleared.Body["secondFactor"])
	require.Nil(t, cleared.Body["secondFactorTime"])

	require.Equal(t, "PERMISSION_DENIED", bundle.REST("GET", path+"/policy", ben.token, nil).Reason(), "admins read it")
	require.Equal(t, 404, bundle.REST("GET", path+"/policy", eve.token, nil).Status)
	require.Equal(t, 404, bundle.REST("PATCH", path+"/policy", eve.token, object{"apiKeys": "FORBIDDEN"}).Status)
	for name, test := range map[string]struct {
		change object
		field  string
	}{
		"no network":        {object{"allowedNetworks": []string{"127.0.0.0/8", "10.0.0.0/33"}}, "allowedNetworks[1]"},
		"a mapped network":  {object{"allowedNetworks": []string{"::ffff:10.0.0.0/104"}}, "allowedNetworks[0]"},
		"no domain":         {object{"invitationDomains": []string{"@example.com"}}, "invitationDomains[0]"},
		"a short session":   {object{"sessionMaxAge": 10}, "sessionMaxAge"},
		"a grace of a year": {object{"secondFactorGraceDays": 365}, "secondFactorGraceDays"},
	} {
		answer := bundle.REST("PATCH", path+"/policy", ada.token, test.change)
		require.Equal(t, 400, answer.Status, "%s: %s", name, answer.Text)
		require.Equal(t, []string{test.field}, answer.Fields(), name)
	}
}

func TestSecondFactorIsAskedForAfterTheGrace(t *testing.T) {
	t.Parallel()
	bundle := setupPolicy(t)
	ada, ben, cleo := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("cleo")
	_, path := bundle.found(t, ada, "Acme")
	_, other := bundle.found(t, ben, "Evil")
	bundle.join(t, ada, path, ben, "member")
	bundle.login(ada, bothFactors)
	bundle.login(ben, passwordOnly)
	bundle.setPolicy(t, ada, path, object{"secondFactor": "REQUIRED", "secondFactorGraceDays": 7})
	bundle.clock.Advance(7*24*time.Hour - time.Second)
	require.Equal(t, 200, bundle.REST("GET", path, ben.token, nil).Status, "the last second of the grace")
	bundle.join(t, ada, path, cleo, "member")
	bundle.clock.Advance(time.Second)
	requireForbidden(t, bundle.REST("GET", path, ben.token, nil), object{"policy": "secondFactor", "action": "enrollFactor"})
	require.Equal(t, 200, bundle.REST("GET", path, cleo.token, nil).Status, "who joined later has days of their own")
	require.Equal(t, 200, bundle.REST("GET", path, ada.token, nil).Status, "who has shown one")
	require.Equal(t, 200, bundle.REST("GET", other, ben.token, nil).Status, "another organization asks for nothing")
	require.Equal(t, 404, bundle.REST("GET", path, bundle.meet("eve").token, nil).Status, "an outsider hears of no policy")

	bundle.login(ben, call.Password)
	requireForbidden(t, bundle.REST("GET", path, ben.token, nil),
		object{"policy": "secondFactor", "action": "stepUp", "acr": call.StrongACR})
	bundle.login(ben, bothFactors)
	require.Equal(t, 200, bundle.REST("GET", path, ben.token, nil).Status)
	require.NotEmpty(t, bundle.Refusals.All(), "the audit hears of it")
}

func TestALoginAgesByPolicy(t *testing.T) {
	t.Parallel()
	bundle := setupPolicy(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	bundle.Tokens.User(ada.token, ada.UserID)
	unknown := bundle.REST("PATCH", path+"/policy", ada.token, object{"sessionMaxAge": 3600})
	require.Equal(t, "STEP_UP_REQUIRED", unknown.Reason(), "nobody knows how old that login is")
	bundle.login(ada, passwordOnly)
	bundle.clock.Advance(5*time.Minute + time.Second)
	locked := bundle.REST("PATCH", path+"/policy", ada.token, object{"sessionMaxAge": 300})
	require.Equal(t, "POLICY_LOCKS_OUT", locked.Reason(), "that login is older")
	bundle.login(ada, passwordOnly)
	bundle.setPolicy(t, ada, path, object{"sessionMaxAge": 3600})
	bundle.clock.Advance(time.Hour)
	require.Equal(t, 200, bundle.REST("GET", path, ada.token, nil).Status)
	bundle.clock.Advance(time.Second)
	requireForbidden(t, bundle.REST("GET", path, ada.token, nil), object{"policy": "session", "action": "stepUp", "maxAge": "3600"})
	bundle.login(ada, passwordOnly)
	require.Equal(t, 200, bundle.REST("GET", path, ada.token, nil).Status)
}

func TestAddressesOutsideTheNetworksAreRefused(t *testing.T) {
	t.Parallel()
	bundle := setupPolicy(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "admin")
	networks := object{"allowedNetworks": []string{"203.0.113.0/24", "2001:db8::/32"}}

	locked := bundle.REST("PATCH", path+"/policy", ada.token, networks, from("198.51.100.7"))
	require.Equal(t, 409, locked.Status)
	require.Equal(t, "POLICY_LOCKS_OUT", locked.Reason())
	require.Equal(t, object{"policy": "address", "address": "198.51.100.7"}, locked.Metadata())
	require.Empty(t, bundle.REST("GET", path+"/policy", ada.token, nil).Body["allowedNetworks"], "nothing half-changed")

	bundle.setPolicy(t, ada, path, networks, from("203.0.113.9"))
	for address, admitted := range map[string]bool{
		"203.0.113.200": true, "2001:db8::7": true, "::ffff:203.0.113.4": true, "203.0.114.1": false, "2001:db9::1": false,
	} {
		answer := bundle.REST("GET", path, ben.token, nil, from(address))
		if admitted {
			require.Equal(t, 200, answer.Status, "%s: %s", address, answer.Text)
			continue
		}
		requireForbidden(t, answer, object{"policy": "address", "address": address})
	}
	spoofed := bundle.REST("GET", path, ben.token, nil, rpctest.Header(rpc.ForwardedForHeader, "203.0.113.9"))
	requireForbidden(t, spoofed, object{"policy": "address", "address": "127.0.0.1"})
}

// An owner with a second factor repairs a list of networks from wherever they are, and does nothing else from there.
func TestAnOwnerMayRepairTheNetworksFromAnywhere(t *testing.T) {
	t.Parallel()
	bundle := setupPolicy(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "admin")
	bundle.setPolicy(t, ada, path, object{"allowedNetworks": []string{"203.0.113.0/24"}}, from("203.0.113.9"))
	outside := from("198.51.100.7")
	address := object{"policy": "address", "address": "198.51.100.7"}
	requireForbidden(t, bundle.REST("GET", path+"/policy", ada.token, nil, outside), address)
	bundle.login(ada, bothFactors)
	bundle.login(ben, bothFactors)
	require.Equal(t, 200, bundle.REST("GET", path+"/policy", ada.token, nil, outside).Status)
	requireForbidden(t, bundle.REST("GET", path+"/policy", ben.token, nil, outside), address)
	requireForbidden(t, bundle.REST("GET", path, ada.token, nil, outside), address)
	bundle.setPolicy(t, ada, path, object{"apiKeys": "FORBIDDEN"}, outside)
	locked := bundle.REST("PATCH", path+"/policy", ada.token, object{"allowedNetworks": []string{"192.0.2.0/24"}}, outside)
	require.Equal(t, "POLICY_LOCKS_OUT", locked.Reason())
	bundle.setPolicy(t, ada, path, object{"allowedNetworks": []string{"198.51.100.0/24"}}, outside)
	require.Equal(t, 200, bundle.REST("GET", path, ben.token, nil, outside).Status)
}

// A machine acts without a session. It has no factor and no login that could age; where it acts from counts.
func TestMachinesMeetThePolicyOfMachines(t *testing.T) {
	t.Parallel()
	bundle := setupPolicy(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	bundle.Tokens.Session("machine", call.Actor{Kind: call.User, UserID: ada.UserID})
	bundle.login(ada, bothFactors)
	bundle.setPolicy(t, ada, path, object{"secondFactor": "REQUIRED", "sessionMaxAge": 3600, "allowedNetworks": []string{"127.0.0.0/8"}})
	require.Equal(t, 200, bundle.REST("GET", path, "machine", nil).Status)
	requireForbidden(t, bundle.REST("GET", path, "machine", nil, from("198.51.100.7")), object{"policy": "address", "address": "198.51.100.7"})
	bundle.setPolicy(t, ada, path, object{"apiKeys": "FORBIDDEN"})
	requireForbidden(t, bundle.REST("GET", path, "machine", nil), object{"policy": "apiKeys"})
	require.Equal(t, 200, bundle.REST("GET", path, ada.token, nil).Status)
}

func TestOnlyAllowedDomainsAreInvited(t *testing.T) {
	t.Parallel()
	bundle := setupPolicy(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	invitationID, token := bundle.invite(t, ada, path, ben.Email, "member")
	bundle.setPolicy(t, ada, path, object{"invitationDomains": []string{"acme.test"}})
	outside := object{"policy": "invitationDomain", "domain": "example.com"}
	refused := bundle.REST("POST", path+"/invitations", ada.token, object{"email": "Cleo@Example.com", "roleId": "member"})
	requireForbidden(t, refused, outside)
	require.Equal(t, []string{"email"}, refused.Fields())
	requireForbidden(t, bundle.REST("POST", path+"/invitations", ada.token, object{"email": "cleo@sub.acme.test", "roleId": "member"}),
		object{"policy": "invitationDomain", "domain": "sub.acme.test"})
	requireForbidden(t, bundle.REST("POST", path+"/invitations/"+invitationID.String()+":resend", ada.token, object{}), outside)
	requireForbidden(t, bundle.REST("POST", "/api/v1/invitations:accept", ben.token, object{"token": token}), outside)
	mail, err := bundle.app.GetInvitationMail(t.Context(), id.MustParse(path[len("/api/v1/organizations/"):]), invitationID)
	require.NoError(t, err)
	require.Empty(t, mail.Token, "there is nothing to mail")
	bundle.invite(t, ada, path, "cleo@ACME.test", "member")
	bundle.setPolicy(t, ada, path, object{"invitationDomains": []string{"acme.test", "example.com"}})
	require.Equal(t, 200, bundle.REST("POST", "/api/v1/invitations:accept", ben.token, object{"token": token}).Status)
}

// Another process hears of a policy by its event, and never undercuts the revision that the change was answered with.
func TestAPolicyReachesOtherProcesses(t *testing.T) {
	t.Parallel()
	bundle := setupPolicy(t)
	ada := bundle.meet("ada")
	organizationID, path := bundle.found(t, ada, "Acme")
	remote := bundle.remember(t)
	may := func(work call.Call) error {
		work.Procedure, work.Actor = "/remote", call.Actor{Kind: call.User, UserID: ada.UserID}
		return remote.Authorize(call.With(t.Context(), &work), organizationID, ada.UserID, "organization.organization.read")
	}
	require.NoError(t, may(call.Call{}))
	bundle.setPolicy(t, ada, path, object{"apiKeys": "FORBIDDEN"})
	require.NoError(t, may(call.Call{}), "it has heard of nothing")
	require.ErrorContains(t, may(call.Call{LeastAccessRevision: 2}), "POLICY_FORBIDS")
	bundle.setPolicy(t, ada, path, object{"apiKeys": "ALLOWED"})
	require.NoError(t, may(call.Call{}), "a refusal is never from memory")
	bundle.setPolicy(t, ada, path, object{"apiKeys": "FORBIDDEN"})
	require.NoError(t, remote.HandleEvent(bus.Event{Type: "organization.policy.updated", OrganizationID: organizationID}))
	require.ErrorContains(t, may(call.Call{}), "POLICY_FORBIDS")

	// What is asked about somebody, and not by them, knows neither their address nor their login.
	require.NoError(t, remote.Authorize(t.Context(), organizationID, ada.UserID, ""))
}

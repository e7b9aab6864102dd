package organization

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/consumer"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/testkit/rpctest"
)

// letIn makes a support grant.
func (b *testBundle) letIn(t *testing.T, owner person, path, access string, ends time.Duration) rpctest.Answer {
	t.Helper()
	answer := b.REST("POST", path+"/support-grants", owner.token, map[string]any{
		"access": access, "reason": "Ticket 42", "expireTime": b.clock.Now().Add(ends).Format(time.RFC3339),
	})
	require.Equal(t, 200, answer.Status, answer.Text)
	return answer
}

func TestAnOwnerLetsOperatorsInForAWhile(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, cleo := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("cleo")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "admin")
	bundle.takeEvents(t)
	grants := path + "/support-grants"

	made := bundle.REST("POST", grants, ada.token, map[string]any{"access": "READ", "reason": "Ticket 42"})
	require.Equal(t, 200, made.Status, made.Text)
	require.Equal(t, "GRANT", made.Body["kind"])
	require.Equal(t, "ACTIVE", made.Body["state"])
	require.Equal(t, "2026-01-03T03:04:05Z", made.Body["expireTime"], "a day, when nobody says until when")
	require.Equal(t, ada.UserID.String(), made.Body["creatorId"])
	require.NotEmpty(t, made.Body["accessRevision"])
	for who, want := range map[person]int{ben: 403, cleo: 404} {
		require.Equal(t, want, bundle.REST("POST", grants, who.token, map[string]any{"access": "READ", "reason": "x"}).Status)
		require.Equal(t, want, bundle.REST("GET", grants, who.token, nil).Status)
		require.Equal(t, want, bundle.REST("DELETE", grants+"/"+made.Body["id"].(string), who.token, nil).Status)
	}
	for _, ends := range []time.Duration{0, -time.Hour, 7*24*time.Hour + time.Second} {
		refused := bundle.REST("POST", grants, ada.token, map[string]any{
			"access": "READ", "reason": "x", "expireTime": bundle.clock.Now().Add(ends).Format(time.RFC3339),
		})
		require.Equal(t, []string{"expireTime"}, refused.Fields(), refused.Text)
	}
	require.Equal(t, []string{"access"}, bundle.REST("POST", grants, ada.token, map[string]any{"reason": "x"}).Fields())
	require.Equal(t, []string{"reason"}, bundle.REST("POST", grants, ada.token, map[string]any{"access": "READ"}).Fields())

	one := grants + "/" + made.Body["id"].(string)
	changed := bundle.REST("PATCH", one, ada.token, map[string]any{"access": "WRITE", "expireTime": "2026-01-09T03:04:05Z", "etag": made.Body["etag"]})
	require.Equal(t, 200, changed.Status, changed.Text)
	require.Equal(t, "WRITE", changed.Body["access"])
	require.Equal(t, "Ticket 42", changed.Body["reason"])
	require.Equal(t, "ETAG_MISMATCH", bundle.REST("PATCH", one, ada.token, map[string]any{"access": "READ", "etag": made.Body["etag"]}).Reason())
	bundle.clock.Advance(24 * time.Hour)
	require.Equal(t, []string{"expireTime"}, bundle.REST("PATCH", one, ada.token, map[string]any{"expireTime": "2026-01-09T03:04:06Z"}).Fields(),
		"counted from when it was made")

	ended := bundle.REST("DELETE", one, ada.token, nil)
	require.Equal(t, "REVOKED", ended.Body["state"], ended.Text)
	require.Equal(t, ada.UserID.String(), ended.Body["revokerId"])
	require.Equal(t, ended.Body["revokeTime"], bundle.REST("DELETE", one, ada.token, nil).Body["revokeTime"], "it stays as it is")
	require.Equal(t, "SUPPORT_GRANT_FIXED", bundle.REST("PATCH", one, ada.token, map[string]any{"access": "READ"}).Reason())

	events := bundle.takeEvents(t)
	require.Equal(t, []string{
		"organization.support_grant.created", "organization.support_grant.updated", "organization.support_grant.revoked",
	}, types(events))
	created := events[0].Payload.(*organizationv1.SupportGrantCreated)
	require.Equal(t, []string{ada.UserID.String()}, created.GetOwnerIds())
	require.Equal(t, organizationID.String(), created.GetOrganizationId())
}

func TestSupportGrantsAreListedWithTheirState(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	short := bundle.letIn(t, ada, path, "READ", time.Minute).Body["id"]
	long := bundle.letIn(t, ada, path, "WRITE", time.Hour).Body["id"]
	ended := bundle.letIn(t, ada, path, "WRITE", time.Hour).Body["id"]
	require.Equal(t, 200, bundle.REST("DELETE", path+"/support-grants/"+ended.(string), ada.token, nil).Status)
	bundle.clock.Advance(time.Minute)
	for state, want := range map[string]any{"ACTIVE": long, "EXPIRED": short, "REVOKED": ended} {
		listed := bundle.REST("GET", path+"/support-grants?filter="+url.QueryEscape("state = "+state), ada.token, nil).Body["supportGrants"].([]any)
		require.Len(t, listed, 1, state)
		require.Equal(t, want, listed[0].(map[string]any)["id"], state)
		require.Equal(t, state, listed[0].(map[string]any)["state"])
	}
	for range domain.MaxSupportGrants - 1 {
		bundle.letIn(t, ada, path, "READ", time.Hour)
	}
	require.Equal(t, "LIMIT_REACHED", bundle.REST("POST", path+"/support-grants", ada.token, map[string]any{"access": "READ", "reason": "x"}).Reason())
}

// A custom role may hold the permission; the grant is an owner's all the same.
func TestOnlyAnOwnerLetsOperatorsIn(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "viewer")
	role := bundle.REST("POST", path+"/roles", ada.token, map[string]any{
		"displayName": "Opener", "permissions": []string{"organization.support_grant.create", "organization.support_grant.update"},
	})
	require.Equal(t, 200, role.Status, role.Text)
	given := bundle.REST("POST", path+"/assignments", ada.token, map[string]any{
		"subject": map[string]any{"type": "USER", "id": ben.UserID.String()}, "roleId": role.Body["id"],
	})
	require.Equal(t, 200, given.Status, given.Text)
	require.Equal(t, "GRANT_EXCEEDS_OWN", bundle.REST("POST", path+"/support-grants", ben.token, map[string]any{"access": "READ", "reason": "x"}).Reason())
	made := bundle.letIn(t, ada, path, "READ", time.Hour)
	require.Equal(t, "GRANT_EXCEEDS_OWN", bundle.REST("PATCH", path+"/support-grants/"+made.Body["id"].(string), ben.token, map[string]any{"access": "WRITE"}).Reason())
}

// Letting somebody in asks for a login that is not old.
func TestLettingOperatorsInAsksForARecentLogin(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	bundle.Tokens.Session(ada.token, call.Actor{
		Kind: call.User, UserID: ada.UserID, SessionID: id.New(), AuthTime: bundle.clock.Now().Add(-time.Hour), Methods: call.Password | call.Strong,
	})
	require.Equal(t, "STEP_UP_REQUIRED", bundle.REST("POST", path+"/support-grants", ada.token, map[string]any{"access": "READ", "reason": "x"}).Reason())
	require.Equal(t, 200, bundle.REST("GET", path+"/support-grants", ada.token, nil).Status)
}

func (b *testBundle) hearUse(t *testing.T, organizationID id.ID, grantID string, operatorID id.ID, at time.Time) error {
	t.Helper()
	message := &platformv1.SupportAccessed{OrganizationId: organizationID.String(), SupportGrantId: grantID, OperatorId: operatorID.String()}
	data, err := proto.Marshal(message)
	require.NoError(t, err)
	event := bus.Event{ID: id.New(), Type: bus.TypeOf(message), Schema: string(message.ProtoReflect().Descriptor().FullName()), Data: data, Time: at}
	return b.database.DB.InWorkerTx(t.Context(), func(ctx context.Context, tx *pg.Tx) error {
		return consumer.Support(b.app)[event.Type](ctx, tx, []bus.Event{event})
	})
}

func TestTheFirstUseOfAGrantIsToldAndTheLastIsListed(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	organizationID, path := bundle.found(t, ada, "Acme")
	grantID := bundle.letIn(t, ada, path, "READ", time.Hour).Body["id"].(string)
	bundle.takeEvents(t)
	olga, ole, now := id.New(), id.New(), bundle.clock.Now()
	require.NoError(t, bundle.hearUse(t, organizationID, grantID, olga, now.Add(time.Minute)))
	require.NoError(t, bundle.hearUse(t, organizationID, grantID, ole, now.Add(3*time.Minute)))
	require.NoError(t, bundle.hearUse(t, organizationID, grantID, olga, now.Add(2*time.Minute)), "out of order")
	require.NoError(t, bundle.hearUse(t, organizationID, grantID, olga, now.Add(time.Minute)), "twice")
	seen := bundle.REST("GET", path+"/support-grants/"+grantID, ada.token, nil)
	require.Equal(t, ole.String(), seen.Body["lastOperatorId"], seen.Text)
	require.Equal(t, "2026-01-02T03:07:05Z", seen.Body["lastUseTime"])
	events := bundle.takeEvents(t)
	require.Equal(t, []string{"organization.support_grant.used"}, types(events))
	used := events[0].Payload.(*organizationv1.SupportGrantUsed)
	require.Equal(t, []string{ada.UserID.String()}, used.GetOwnerIds())
	require.Equal(t, olga.String(), used.GetOperatorId())
	require.NoError(t, bundle.hearUse(t, organizationID, id.New().String(), olga, now), "a grant that is gone")
	require.ErrorIs(t, bundle.hearUse(t, organizationID, "nothing", olga, now), bus.ErrMalformed)
}

func TestAnOperatorBreaksTheGlassAndTheOwnersSeeAndEndIt(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "owner")
	bundle.takeEvents(t)
	olga, glass := id.New(), "/api/v1/operator/organizations/"+organizationID.String()+":breakGlass"
	bundle.Tokens.Operator("olga", olga, call.OperatorSupport)
	bundle.Tokens.Operator("robot", id.New(), call.OperatorSystem)
	reason := map[string]any{"reason": "Nobody answers, and invoices are lost"}

	require.Equal(t, "PERMISSION_DENIED", bundle.REST("POST", glass, ada.token, reason).Reason(), "no operator")
	require.Equal(t, "PERMISSION_DENIED", bundle.REST("POST", glass, "robot", reason).Reason(), "automation")
	require.Equal(t, []string{"reason"}, bundle.REST("POST", glass, "olga", map[string]any{}).Fields())
	require.Equal(t, 404, bundle.REST("POST", "/api/v1/operator/organizations/"+id.New().String()+":breakGlass", "olga", reason).Status)
	broken := bundle.REST("POST", glass, "olga", reason)
	require.Equal(t, 200, broken.Status, broken.Text)
	require.Equal(t, "BREAK_GLASS", broken.Body["kind"])
	require.Equal(t, "READ", broken.Body["access"])
	require.Equal(t, "2026-01-02T04:04:05Z", broken.Body["expireTime"], "60 minutes")
	require.Equal(t, olga.String(), broken.Body["operatorId"])
	require.Equal(t, "LIMIT_REACHED", bundle.REST("POST", glass, "olga", reason).Reason(), "one at a time")

	events := bundle.takeEvents(t)
	require.Equal(t, []string{"organization.support_grant.created"}, types(events))
	created := events[0].Payload.(*organizationv1.SupportGrantCreated)
	require.ElementsMatch(t, []string{ada.UserID.String(), ben.UserID.String()}, created.GetOwnerIds(), "all owners")
	require.Equal(t, organizationv1.SupportGrant_BREAK_GLASS, created.GetSupportGrant().GetKind())

	asked := func(operatorID id.ID, role string) (granted bool, access domain.SupportAccess) {
		grant, _, granted, err := bundle.app.GetSupportAccess(t.Context(), organizationID, operatorID, role)
		require.NoError(t, err)
		return granted, grant.Access
	}
	granted, access := asked(olga, "support")
	require.True(t, granted)
	require.Equal(t, domain.SupportRead, access)
	for _, other := range []struct {
		operator id.ID
		role     string
	}{{id.New(), "admin"}, {olga, "system"}, {olga, ""}} {
		granted, _ = asked(other.operator, other.role)
		require.False(t, granted, "for who broke it alone")
	}
	listed := bundle.REST("GET", path+"/support-grants", ben.token, nil).Body["supportGrants"].([]any)
	require.Len(t, listed, 1)
	one := path + "/support-grants/" + broken.Body["id"].(string)
	require.Equal(t, "SUPPORT_GRANT_FIXED", bundle.REST("PATCH", one, ada.token, map[string]any{"access": "WRITE"}).Reason())
	bundle.letIn(t, ada, path, "WRITE", 2*time.Hour)
	_, access = asked(olga, "support")
	require.Equal(t, domain.SupportWrite, access, "of two the one that allows more")
	require.Equal(t, "REVOKED", bundle.REST("DELETE", one, ben.token, nil).Body["state"])
	bundle.takeEvents(t)
	require.NoError(t, bundle.hearUse(t, organizationID, broken.Body["id"].(string), olga, bundle.clock.Now()))
	require.Empty(t, bundle.takeEvents(t)[0].Payload.(*organizationv1.SupportGrantUsed).GetOwnerIds(), "they have been told")
	bundle.clock.Advance(2 * time.Hour)
	granted, _ = asked(olga, "support")
	require.False(t, granted, "all have ended")
}

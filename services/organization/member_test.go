package organization

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/gen/go/braid/organization/v1/organizationv1connect"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/rpctest"
)

func memberPath(path string, who person) string { return path + "/members/" + who.UserID.String() }

func TestMembersAreListedInTheOrderTheyJoined(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	want := []string{"ada"}
	for _, name := range []string{"zoe", "ben", "cleo", "dan"} {
		bundle.clock.Advance(time.Second)
		bundle.join(t, ada, path, bundle.meet(name), "member")
		want = append(want, name)
	}
	var got []string
	token := ""
	for range 10 {
		answer := bundle.REST("GET", path+"/members?pageSize=2&pageToken="+token, ada.token, nil)
		require.Equal(t, 200, answer.Status, answer.Text)
		for _, member := range answer.Body["members"].([]any) {
			got = append(got, member.(map[string]any)["displayName"].(string))
		}
		if token, _ = answer.Body["nextPageToken"].(string); token == "" {
			break
		}
	}
	require.Equal(t, want, got)
}

func TestUpdateMemberRoles(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "member")
	bundle.takeEvents(t)

	answer := bundle.REST("PATCH", memberPath(path, ben), ada.token, map[string]any{"roleIds": []string{"admin", "member"}})
	require.Equal(t, 200, answer.Status, answer.Text)
	require.Equal(t, []any{"member", "admin"}, answer.Body["roleIds"], "in the order of the roles")
	require.Equal(t, "ben@example.com", answer.Body["email"])
	events := bundle.takeEvents(t)
	require.Len(t, events, 1)
	require.True(t, proto.Equal(&organizationv1.MemberRolesChanged{
		OrganizationId: organizationID.String(), UserId: ben.UserID.String(),
		RoleIds: []string{"member", "admin"}, PreviousRoleIds: []string{"member"},
	}, events[0].Payload))
	require.NoError(t, bundle.Roles.Authorize(t.Context(), organizationID, ben.UserID, "organization.invitation.create"),
		"this process knows at once")

	same := bundle.REST("PATCH", memberPath(path, ben), ada.token, map[string]any{"roleIds": []string{"member", "admin"}, "etag": answer.Body["etag"]})
	require.Equal(t, answer.Body, same.Body)
	require.Empty(t, bundle.takeEvents(t), "nothing changed")

	for name, test := range map[string]struct {
		body   string
		status int
		reason string
		field  []string
	}{
		"no roles":       {`{"roleIds":[]}`, 400, "INVALID_ARGUMENT", []string{"roleIds"}},
		"unknown role":   {`{"roleIds":["king"]}`, 400, "ROLE_UNKNOWN", []string{"roleIds"}},
		"twice the same": {`{"roleIds":["admin","admin"]}`, 400, "INVALID_ARGUMENT", []string{"roleIds"}},
		"stale etag":     {`{"roleIds":["viewer"],"etag":"1"}`, 409, "ETAG_MISMATCH", []string{}},
	} {
		refused := bundle.REST("PATCH", memberPath(path, ben), ada.token, test.body)
		require.Equal(t, test.status, refused.Status, name)
		require.Equal(t, test.reason, refused.Reason(), name)
		require.Equal(t, test.field, refused.Fields(), name)
	}
	mask := bundle.REST("PATCH", memberPath(path, ben)+"?updateMask=nothing", ada.token, `{"roleIds":["viewer"]}`)
	require.Equal(t, []string{"updateMask"}, mask.Fields(), mask.Text)
	fixed := bundle.REST("PATCH", memberPath(path, ben), ada.token, `{"roleIds":["viewer"],"displayName":"Benjamin"}`)
	require.Equal(t, 400, fixed.Status, fixed.Text)
	require.Equal(t, []string{"displayName"}, fixed.Fields(), "a person's name is identity's")
	sentBack := bundle.REST("PATCH", memberPath(path, ben), ada.token, answer.Body)
	require.Equal(t, answer.Body, sentBack.Body, sentBack.Text)
	nothing := bundle.REST("PATCH", memberPath(path, ben), ada.token, `{}`)
	require.Equal(t, answer.Body, nothing.Body, nothing.Text)
	require.Empty(t, bundle.takeEvents(t))
	missing := bundle.REST("PATCH", path+"/members/"+id.New().String(), ada.token, `{"roleIds":["viewer"]}`)
	require.Equal(t, 404, missing.Status)
}

func TestUpdateMemberOverConnectTakesTheFieldsPresent(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "member")
	client := organizationv1connect.NewMemberServiceClient(bundle.As(ada.token))
	updated, err := client.UpdateMember(t.Context(), &organizationv1.UpdateMemberRequest{
		OrganizationId: organizationID.String(), UserId: ben.UserID.String(),
		Member: &organizationv1.Member{RoleIds: []string{"viewer"}},
	})
	require.NoError(t, err)
	require.Equal(t, []string{"viewer"}, updated.GetRoleIds())
}

func TestNobodyChangesARoleAboveTheirOwn(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, cleo, dan := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("cleo"), bundle.meet("dan")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "admin")
	bundle.join(t, ada, path, cleo, "member")
	bundle.join(t, ada, path, dan, "owner")
	bundle.takeEvents(t)

	for name, request := range map[string]struct{ method, path, body string }{
		"make an owner":       {"PATCH", memberPath(path, cleo), `{"roleIds":["owner"]}`},
		"make oneself owner":  {"PATCH", memberPath(path, ben), `{"roleIds":["admin","owner"]}`},
		"unmake an owner":     {"PATCH", memberPath(path, dan), `{"roleIds":["member"]}`},
		"remove an owner":     {"DELETE", memberPath(path, dan), ""},
		"invite to ownership": {"POST", path + "/invitations", `{"email":"eve@example.com","roleId":"owner"}`},
	} {
		var body any
		if request.body != "" {
			body = request.body
		}
		answer := bundle.REST(request.method, request.path, ben.token, body)
		require.Equal(t, 403, answer.Status, name)
		require.Equal(t, "GRANT_EXCEEDS_OWN", answer.Reason(), name)
	}
	denied := bundle.REST("DELETE", memberPath(path, ben), cleo.token, nil)
	require.Equal(t, "PERMISSION_DENIED", denied.Reason())
	require.Empty(t, bundle.takeEvents(t))

	require.Equal(t, 200, bundle.REST("PATCH", memberPath(path, cleo), ben.token, `{"roleIds":["admin"]}`).Status)
	require.Equal(t, 200, bundle.REST("DELETE", memberPath(path, cleo), ben.token, nil).Status)
}

func TestMembersLeaveAndAreRemoved(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, cleo := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("cleo")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "viewer")
	bundle.join(t, ada, path, cleo, "viewer")
	bundle.takeEvents(t)

	answer := bundle.REST("DELETE", memberPath(path, ben), ben.token, nil, rpctest.IdempotencyKey("go"))
	require.Equal(t, 200, answer.Status, answer.Text)
	events := bundle.takeEvents(t)
	require.Equal(t, []string{"organization.member.removed"}, types(events))
	require.Equal(t, "member/"+ben.UserID.String(), events[0].Subject)
	require.Equal(t, 404, bundle.REST("GET", path, ben.token, nil).Status)
	require.Equal(t, 404, bundle.REST("DELETE", memberPath(path, ben), ada.token, nil).Status, "gone")

	require.Equal(t, 200, bundle.REST("DELETE", memberPath(path, cleo), ada.token, nil).Status)
	require.Error(t, bundle.Roles.Authorize(t.Context(), organizationID, cleo.UserID, ""))

	last := bundle.REST("DELETE", memberPath(path, ada), ada.token, nil)
	require.Equal(t, 409, last.Status)
	require.Equal(t, "LAST_OWNER", last.Reason())
	last = bundle.REST("PATCH", memberPath(path, ada), ada.token, `{"roleIds":["admin"]}`)
	require.Equal(t, "LAST_OWNER", last.Reason())

	bundle.join(t, ada, path, ben, "owner")
	require.Equal(t, 200, bundle.REST("DELETE", memberPath(path, ada), ada.token, nil).Status, "another owner stays")
}

// A cache may still let a member through who was removed a moment ago; the transaction knows better.
func TestARemovedMemberChangesNothing(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "owner")
	require.Equal(t, 200, bundle.REST("DELETE", memberPath(path, ben), ada.token, nil).Status)
	bundle.Roles.Grant(organizationID, ben.UserID, "owner")
	bundle.takeEvents(t)

	require.Equal(t, 404, bundle.REST("DELETE", memberPath(path, ada), ben.token, nil).Status)
	require.Equal(t, 404, bundle.REST("PATCH", memberPath(path, ada), ben.token, `{"roleIds":["viewer"]}`).Status)
	answer := bundle.REST("POST", path+"/invitations", ben.token, map[string]any{"email": "eve@example.com", "roleId": "viewer"})
	require.Equal(t, "GRANT_EXCEEDS_OWN", answer.Reason(), "one without roles can give none")
	require.Empty(t, bundle.takeEvents(t))
}

// as runs a use case as somebody, in a transaction as a handler's.
func (b *testBundle) as(ctx context.Context, organizationID id.ID, who person, work func(ctx context.Context, tx *pg.Tx) error) error {
	ctx = call.With(ctx, &call.Call{OrganizationID: organizationID, Actor: call.Actor{Kind: call.User, UserID: who.UserID}})
	return b.database.DB.InTx(ctx, pg.ScopeOf(ctx), work)
}

func (b *testBundle) countOwners(t require.TestingT, organizationID id.ID) (owners int) {
	require.NoError(t, b.database.Admin.QueryRow(context.Background(),
		`select count(*) from member where organization_id = $1 and 'owner' = any (role_ids)`, organizationID.String()).Scan(&owners))
	return owners
}

func TestOwnersWhoAllGoAtOnceLeaveOneBehind(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	owners := []person{bundle.meet("ada")}
	organizationID, path := bundle.found(t, owners[0], "Acme")
	for range 11 {
		another := bundle.meet("owner" + id.New().String())
		bundle.join(t, owners[0], path, another, "owner")
		owners = append(owners, another)
	}
	require.Equal(t, len(owners), bundle.countOwners(t, organizationID))

	var gone atomic.Int32
	var group sync.WaitGroup
	start := make(chan struct{})
	for i, owner := range owners {
		group.Go(func() {
			<-start
			err := bundle.as(t.Context(), organizationID, owner, func(ctx context.Context, tx *pg.Tx) error {
				if i%2 == 0 {
					_, err := bundle.app.RemoveMember(ctx, tx, organizationID, owner.UserID)
					return err
				}
				_, err := bundle.app.UpdateMember(ctx, tx, organizationID, owner.UserID, []string{"viewer"}, "")
				return err
			})
			if err == nil {
				gone.Add(1)
			}
		})
	}
	close(start)
	group.Wait()
	require.Equal(t, 1, bundle.countOwners(t, organizationID))
	require.Equal(t, len(owners)-1, int(gone.Load()))
}

func TestOwnersWhoRemoveEachOtherLeaveOneBehind(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	for range 10 {
		organizationID, path := bundle.found(t, ada, "Acme")
		bundle.join(t, ada, path, ben, "owner")
		var group sync.WaitGroup
		start := make(chan struct{})
		for _, pair := range [][2]person{{ada, ben}, {ben, ada}} {
			group.Go(func() {
				<-start
				_ = bundle.as(t.Context(), organizationID, pair[0], func(ctx context.Context, tx *pg.Tx) error {
					_, err := bundle.app.RemoveMember(ctx, tx, organizationID, pair[1].UserID)
					return err
				})
			})
		}
		close(start)
		group.Wait()
		require.Equal(t, 1, bundle.countOwners(t, organizationID))
	}
}

// Whatever members do, over the database and its policies, an owner is left.
func TestNoSequenceOfOperationsLeavesNoOwner(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	staff := []person{bundle.meet("ada"), bundle.meet("ben"), bundle.meet("cleo"), bundle.meet("dan")}
	roles := []string{"viewer", "member", "admin", "owner"}
	rapid.Check(t, func(rt *rapid.T) {
		organizationID, path := bundle.found(t, staff[0], "Acme")
		for range rapid.IntRange(1, 12).Draw(rt, "operations") {
			actor, target := rapid.SampledFrom(staff).Draw(rt, "actor"), rapid.SampledFrom(staff).Draw(rt, "target")
			role := rapid.SampledFrom(roles).Draw(rt, "role")
			switch rapid.SampledFrom([]string{"invite", "update", "remove", "leave"}).Draw(rt, "operation") {
			case "invite":
				answer := bundle.REST("POST", path+"/invitations", actor.token, map[string]any{"email": target.Email, "roleId": role})
				if answer.Status == 200 {
					token := bundle.mailedToken(t, path, id.MustParse(answer.Body["id"].(string)))
					require.Equal(rt, 200, bundle.REST("POST", "/api/v1/invitations:accept", target.token, map[string]any{"token": token}).Status)
				}
			case "update":
				bundle.REST("PATCH", memberPath(path, target), actor.token, map[string]any{"roleIds": []string{role}})
			case "remove":
				bundle.REST("DELETE", memberPath(path, target), actor.token, nil)
			case "leave":
				bundle.REST("DELETE", memberPath(path, actor), actor.token, nil)
			}
			require.NotZero(rt, bundle.countOwners(rt, organizationID))
		}
	})
}

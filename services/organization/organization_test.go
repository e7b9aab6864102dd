package organization

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/testkit/rpctest"
)

func TestCreateOrganizationMakesItsOwner(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	organizationID, path := bundle.found(t, ada, "  Acme & Co ")

	events := bundle.takeEvents(t)
	require.Equal(t, []string{"organization.organization.created", "organization.member.added"}, types(events))
	require.Equal(t, "organization/"+organizationID.String(), events[0].Subject)
	require.Equal(t, "acme-co", events[0].Payload.(*organizationv1.OrganizationCreated).GetSlug())
	require.Equal(t, "member/"+ada.UserID.String(), events[1].Subject)
	require.Equal(t, []string{"owner"}, events[1].Payload.(*organizationv1.MemberAdded).GetRoleIds())

	answer := bundle.REST("GET", path, ada.token, nil)
	require.Equal(t, 200, answer.Status, answer.Text)
	require.Equal(t, "Acme & Co", answer.Body["displayName"])
	require.Equal(t, "acme-co", answer.Body["slug"])
	require.Equal(t, "2026-01-02T03:04:05Z", answer.Body["createTime"])
	require.NotEmpty(t, answer.Body["etag"])

	members := bundle.REST("GET", path+"/members", ada.token, nil).Body["members"].([]any)
	require.Len(t, members, 1)
	owner := members[0].(map[string]any)
	require.Equal(t, ada.UserID.String(), owner["userId"])
	require.Equal(t, "ada", owner["displayName"])
	require.Equal(t, "ada@example.com", owner["email"])
	require.Equal(t, []any{"owner"}, owner["roleIds"])
}

func TestCreateOrganizationRefusesABlankName(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	answer := bundle.REST("POST", "/api/v1/organizations", bundle.meet("ada").token, map[string]any{"displayName": "   "})
	require.Equal(t, 400, answer.Status)
	require.Equal(t, []string{"displayName"}, answer.Fields())
	require.Empty(t, bundle.takeEvents(t))
}

func TestCreateOrganizationNeedsTheDirectory(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	bundle.people.fail(errs.New(errs.Unavailable, "UNAVAILABLE", "gone"))
	answer := bundle.REST("POST", "/api/v1/organizations", ada.token, map[string]any{"displayName": "Acme"})
	require.Equal(t, 503, answer.Status)
	require.Empty(t, bundle.takeEvents(t))
}

func TestSlugsAreUnique(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	bundle.found(t, ada, "Acme")

	answer := bundle.REST("POST", "/api/v1/organizations", ben.token, map[string]any{"displayName": "Acme", "slug": "acme"})
	require.Equal(t, 409, answer.Status)
	require.Equal(t, "SLUG_TAKEN", answer.Reason())

	answer = bundle.REST("POST", "/api/v1/organizations", ben.token, map[string]any{"displayName": "Acme"})
	require.Equal(t, 200, answer.Status, answer.Text)
	require.Regexp(t, `^acme-[0-9a-f]{6}$`, answer.Body["slug"])

	path := "/api/v1/organizations/" + answer.Body["id"].(string)
	answer = bundle.REST("PATCH", path, ben.token, map[string]any{"slug": "acme"})
	require.Equal(t, 409, answer.Status)
	require.Equal(t, "SLUG_TAKEN", answer.Reason())
}

func TestCreateOrganizationIsIdempotent(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	body := map[string]any{"displayName": "Acme"}
	first := bundle.REST("POST", "/api/v1/organizations", ada.token, body, rpctest.IdempotencyKey("one"))
	again := bundle.REST("POST", "/api/v1/organizations", ada.token, body, rpctest.IdempotencyKey("one"))
	require.Equal(t, 200, again.Status, again.Text)
	require.Equal(t, first.Body, again.Body)
	require.Equal(t, "true", again.Header.Get("Idempotency-Replayed"))
	require.Len(t, bundle.takeEvents(t), 2)

	other := bundle.REST("POST", "/api/v1/organizations", ada.token, map[string]any{"displayName": "Other"}, rpctest.IdempotencyKey("one"))
	require.Equal(t, 409, other.Status)
	require.Equal(t, "IDEMPOTENCY_KEY_REUSED", other.Reason())
}

func TestListOrganizationsShowsOnesOwnNewestFirst(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	var want []string
	for _, name := range []string{"First", "Second", "Third"} {
		organizationID, _ := bundle.found(t, ada, name)
		want = append([]string{organizationID.String()}, want...)
		bundle.clock.Advance(time.Second)
	}
	_, path := bundle.found(t, ben, "Ben's")
	bundle.join(t, ben, path, ada, "viewer")
	want = append([]string{path[len("/api/v1/organizations/"):]}, want...)
	bundle.found(t, ben, "Not Ada's")

	var got []string
	token := ""
	for range 10 {
		answer := bundle.REST("GET", "/api/v1/organizations?pageSize=3&pageToken="+token, ada.token, nil)
		require.Equal(t, 200, answer.Status, answer.Text)
		for _, organization := range answer.Body["organizations"].([]any) {
			got = append(got, organization.(map[string]any)["id"].(string))
		}
		if token, _ = answer.Body["nextPageToken"].(string); token == "" {
			break
		}
	}
	require.Equal(t, want, got)

	first := bundle.REST("GET", "/api/v1/organizations?pageSize=1", ada.token, nil)
	answer := bundle.REST("GET", "/api/v1/organizations?pageToken="+first.Body["nextPageToken"].(string), ben.token, nil)
	require.Equal(t, "PAGE_TOKEN_INVALID", answer.Reason(), "a token is its caller's")
}

func TestUpdateOrganization(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	created := bundle.REST("GET", path, ada.token, nil)
	bundle.takeEvents(t)
	bundle.clock.Advance(time.Minute)

	// The whole resource goes back as it was read: what only the server writes is passed over.
	body := created.Body
	body["displayName"] = "Acme Two"
	answer := bundle.REST("PATCH", path, ada.token, body)
	require.Equal(t, 200, answer.Status, answer.Text)
	require.Equal(t, "Acme Two", answer.Body["displayName"])
	require.Equal(t, "2026-01-02T03:05:05Z", answer.Body["updateTime"])
	events := bundle.takeEvents(t)
	require.Equal(t, []string{"organization.organization.updated"}, types(events))
	require.Equal(t, "Acme Two", events[0].Payload.(*organizationv1.OrganizationUpdated).GetDisplayName())

	stale := bundle.REST("PATCH", path, ada.token, map[string]any{"displayName": "Three", "etag": created.Body["etag"]})
	require.Equal(t, 409, stale.Status)
	require.Equal(t, "ETAG_MISMATCH", stale.Reason())
	require.Equal(t, answer.Body["etag"], stale.Metadata()["etag"])

	same := bundle.REST("PATCH", path, ada.token, map[string]any{"displayName": "Acme Two", "etag": answer.Body["etag"]})
	require.Equal(t, 200, same.Status)
	require.Equal(t, answer.Body, same.Body, "nothing changed")

	masked := bundle.REST("PATCH", path+"?updateMask=slug", ada.token, map[string]any{"displayName": "Ignored", "slug": "acme-three"})
	require.Equal(t, 200, masked.Status, masked.Text)
	require.Equal(t, "Acme Two", masked.Body["displayName"])
	require.Equal(t, "acme-three", masked.Body["slug"])

	for body, field := range map[string]string{`{"displayName":""}`: "displayName", `{"displayName":"  "}`: "displayName", `{"slug":""}`: "slug"} {
		refused := bundle.REST("PATCH", path, ada.token, body)
		require.Equal(t, 400, refused.Status, body)
		require.Equal(t, []string{field}, refused.Fields(), body)
	}
	unknown := bundle.REST("PATCH", path+"?updateMask=owner", ada.token, map[string]any{"slug": "acme-four"})
	require.Equal(t, 400, unknown.Status, unknown.Text)
	require.Equal(t, []string{"updateMask"}, unknown.Fields())
}

func TestOutsidersSeeNothing(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, eve := bundle.meet("ada"), bundle.meet("eve")
	_, path := bundle.found(t, ada, "Acme")
	bundle.takeEvents(t)
	missing := bundle.REST("GET", "/api/v1/organizations/0195d3a0-0000-7000-8000-000000000000", eve.token, nil)
	for _, request := range [][2]string{{"GET", path}, {"PATCH", path}, {"GET", path + "/members"}, {"GET", path + "/invitations"},
		{"POST", path + "/invitations"}, {"GET", path + "/roles"}, {"DELETE", path + "/members/" + ada.UserID.String()}} {
		var body any
		switch request[0] {
		case "PATCH":
			body = map[string]any{"displayName": "Eve's"}
		case "POST":
			body = map[string]any{"email": "eve@example.com", "roleId": "owner"}
		}
		answer := bundle.REST(request[0], request[1], eve.token, body)
		require.Equal(t, 404, answer.Status, request)
		require.Equal(t, missing.Body["error"].(map[string]any)["message"], answer.Body["error"].(map[string]any)["message"])
	}
	require.Empty(t, bundle.takeEvents(t))
	require.Empty(t, bundle.REST("GET", "/api/v1/organizations", eve.token, nil).Body["organizations"])
}

package organization

import (
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

func TestListsAreDeclaredInFull(t *testing.T) {
	t.Parallel()
	require.NoError(t, store.Organizations.Validate())
	require.NoError(t, store.Members.Validate())
	require.NoError(t, store.Invitations.Validate())
	require.NoError(t, store.RoleList.Validate())
}

// pages reads a whole list in pages of two and returns one field of each row.
func (b *testBundle) pages(t *testing.T, asking person, path, rows, field, filter, orderBy string) []any {
	t.Helper()
	values := []any{}
	for token, pages := "", 0; ; pages++ {
		require.Less(t, pages, 20, "the pages do not end")
		query := url.Values{"pageSize": {"2"}, "filter": {filter}, "orderBy": {orderBy}, "pageToken": {token}}
		answer := b.REST("GET", path+"?"+query.Encode(), asking.token, nil)
		require.Equal(t, 200, answer.Status, answer.Text)
		page, _ := answer.Body[rows].([]any)
		require.LessOrEqual(t, len(page), 2)
		for _, row := range page {
			values = append(values, row.(map[string]any)[field])
		}
		if token, _ = answer.Body["nextPageToken"].(string); token == "" {
			return values
		}
	}
}

// refusedLists asks for what a list does not have, and with a page token of another filter and order.
func (b *testBundle) refusedLists(t *testing.T, asking person, path, order string) {
	t.Helper()
	for query, field := range map[string]string{
		"filter=secret%20%3D%20%22x%22": "filter", "orderBy=secret": "orderBy", "orderBy=email": "orderBy",
	} {
		answer := b.REST("GET", path+"?"+query, asking.token, nil)
		require.Equal(t, 400, answer.Status, answer.Text)
		require.Equal(t, []string{field}, answer.Fields())
	}
	first := b.REST("GET", path+"?pageSize=1", asking.token, nil)
	token := "pageToken=" + first.Body["nextPageToken"].(string)
	require.Equal(t, 200, b.REST("GET", path+"?"+token, asking.token, nil).Status)
	for _, other := range []string{"&orderBy=" + order, "&filter=" + order + "%20%3E%202020-01-01T00:00:00Z"} {
		answer := b.REST("GET", path+"?"+token+other, asking.token, nil)
		require.Equal(t, "PAGE_TOKEN_INVALID", answer.Reason(), answer.Text)
	}
}

func TestOrganizationsAreFilteredAndSorted(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	// Two at each moment, and two of each name: the order between equals must be one, too.
	for i, name := range []string{"Zoo", "Acme", "Acme", "Bakery", "Zoo"} {
		bundle.found(t, ada, name)
		if i%2 == 1 {
			bundle.clock.Advance(time.Minute)
		}
	}
	list := func(filter, orderBy string) []any {
		return bundle.pages(t, ada, "/api/v1/organizations", "organizations", "displayName", filter, orderBy)
	}
	require.Equal(t, []any{"Acme", "Acme", "Bakery", "Zoo", "Zoo"}, list("", "displayName"))
	require.Equal(t, []any{"Zoo", "Zoo", "Bakery", "Acme", "Acme"}, list("", "displayName desc"))
	newest := list("", "createTime desc")
	require.Equal(t, newest, list("", ""))
	slices.Reverse(newest)
	require.Equal(t, newest, list("", "createTime"))
	require.Equal(t, []any{"Zoo", "Zoo"}, list(`displayName:"zo"`, "createTime"))
	require.Equal(t, []any{"Acme"}, list(`slug = "acme"`, ""))
	require.Equal(t, []any{"Zoo"}, list(`createTime > "2026-01-02T03:06:00Z"`, ""))
	bundle.refusedLists(t, ada, "/api/v1/organizations", "createTime")
}

func TestMembersAreFilteredAndSorted(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	for i, name := range []string{"zed", "ben", "ben", "cleo", "ada"} {
		joining := bundle.meet(name)
		joining.Email = name + string(rune('0'+i)) + "@example.com"
		bundle.people.add(joining.Person)
		bundle.join(t, ada, path, joining, []string{"member", "viewer"}[i%2])
		if i%2 == 1 {
			bundle.clock.Advance(time.Minute)
		}
	}
	list := func(filter, orderBy string) []any {
		return bundle.pages(t, ada, path+"/members", "members", "displayName", filter, orderBy)
	}
	require.Equal(t, []any{"ada", "ada", "ben", "ben", "cleo", "zed"}, list("", "displayName"))
	require.Equal(t, []any{"zed", "cleo", "ben", "ben", "ada", "ada"}, list("", "displayName desc"))
	joined := list("", "joinTime")
	require.Len(t, joined, 6)
	require.ElementsMatch(t, []any{"ada", "zed", "ben"}, joined[:3], "who joined first comes first")
	require.Equal(t, joined, list("", ""))
	slices.Reverse(joined)
	require.Equal(t, joined, list("", "joinTime desc"))
	require.Equal(t, []any{"ben", "cleo"}, list(`roleIds:"viewer"`, "displayName"))
	require.Equal(t, []any{"ada"}, list(`roleIds:"owner"`, ""))
	require.Equal(t, []any{"ben", "ben"}, list(`displayName:"BE"`, "joinTime"))
	require.Equal(t, []any{"ada"}, list(`joinTime > "2026-01-02T03:06:00Z"`, ""))
	bundle.refusedLists(t, ada, path+"/members", "joinTime")
}

// What a filter finds is what is shown: an invitation that nobody answered in time is no longer pending.
func TestInvitationsAreFilteredByTheStateTheyShow(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	revoked, _ := bundle.invite(t, ada, path, "revoked@example.com", "member")
	require.Equal(t, 200, bundle.REST("POST", path+"/invitations/"+revoked.String()+":revoke", ada.token, map[string]any{}).Status)
	bundle.invite(t, ada, path, "late@example.com", "viewer")
	bundle.join(t, ada, path, ben, "member")
	bundle.clock.Advance(domain.InvitationLifetime - time.Microsecond)
	bundle.invite(t, ada, path, "waiting@example.com", "member")
	bundle.invite(t, ada, path, "waiting.too@example.com", "admin")

	list := func(filter, orderBy string) []any {
		return bundle.pages(t, ada, path+"/invitations", "invitations", "email", filter, orderBy)
	}
	states := func(filter string) []any {
		return bundle.pages(t, ada, path+"/invitations", "invitations", "state", filter, "")
	}
	require.Equal(t, []any{"PENDING", "PENDING", "PENDING"}, states("state = PENDING"))
	bundle.clock.Advance(time.Microsecond)
	require.Equal(t, []any{"EXPIRED"}, states("state = EXPIRED"))
	require.Equal(t, []any{"late@example.com"}, list("state = EXPIRED", ""))
	require.Equal(t, []any{"PENDING", "PENDING"}, states(`state = "PENDING"`))
	require.Equal(t, []any{"ACCEPTED"}, states("state = ACCEPTED"))
	require.NotContains(t, states("state != PENDING"), "PENDING")
	require.Len(t, states("state != PENDING"), 3)

	require.Equal(t, []any{"ben@example.com"}, list(`email:"BEN@"`, ""))
	require.Equal(t, []any{"waiting.too@example.com"}, list(`roleId = "admin"`, ""))
	require.ElementsMatch(t, []any{"waiting@example.com", "waiting.too@example.com"}, list("createTime > 2026-01-03T00:00:00Z", ""))
	oldest := list("", "createTime")
	require.Len(t, oldest, 5)
	slices.Reverse(oldest)
	require.Equal(t, oldest, list("", "createTime desc"))
	require.Equal(t, oldest, list("", ""))
	bundle.refusedLists(t, ada, path+"/invitations", "createTime")
}

func TestRolesAreFilteredAndSorted(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	for query, want := range map[[2]string][]any{
		{"", ""}:                 {"guest", "viewer", "member", "admin", "owner"},
		{"", "id"}:               {"admin", "guest", "member", "owner", "viewer"},
		{"", "displayName desc"}: {"viewer", "owner", "member", "guest", "admin"},
		{`permissions:"organization.invitation.create"`, ""}: {"admin", "owner"},
		{`id = "*er" AND NOT id = owner`, "id desc"}:         {"viewer", "member"},
		{`displayName:"ADM"`, ""}:                            {"admin"},
		{`system = false`, ""}:                               {},
	} {
		require.Equal(t, want, bundle.pages(t, ada, path+"/roles", "roles", "id", query[0], query[1]), query)
	}
	answer := bundle.REST("GET", path+"/roles?pageSize=1&filter=id%20%3D%20admin", ada.token, nil)
	role := answer.Body["roles"].([]any)[0].(map[string]any)
	require.Equal(t, "Admin", role["displayName"])
	require.Contains(t, role["permissions"], "organization.invitation.create")
	require.Equal(t, true, role["system"])
	for query, field := range map[string]string{"filter=secret%3Dx": "filter", "orderBy=rank": "orderBy", "pageSize=-1": "pageSize"} {
		require.Equal(t, []string{field}, bundle.REST("GET", path+"/roles?"+query, ada.token, nil).Fields(), query)
	}
	token := bundle.REST("GET", path+"/roles?pageSize=1", ada.token, nil).Body["nextPageToken"].(string)
	require.Equal(t, "PAGE_TOKEN_INVALID", bundle.REST("GET", path+"/roles?orderBy=id&pageToken="+token, ada.token, nil).Reason())
}

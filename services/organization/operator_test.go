package organization

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/rpctest"
)

const operatorPath = "/api/v1/operator/organizations"

// operators signs one of each role in, with a second factor, by the role's name.
func (b *testBundle) operators() map[string]call.Actor {
	return map[string]call.Actor{
		"support": b.Tokens.Operator("support-token", id.New(), call.OperatorSupport),
		"system":  b.Tokens.Operator("system-token", id.New(), call.OperatorSystem),
		"admin":   b.Tokens.Operator("admin-token", id.New(), call.OperatorAdmin),
	}
}

func (b *testBundle) findAs(t *testing.T, token, query string) []map[string]any {
	t.Helper()
	answer := b.REST("GET", operatorPath+"?"+query, token, nil)
	require.Equal(t, 200, answer.Status, answer.Text)
	found := []map[string]any{}
	for _, one := range answer.Body["organizations"].([]any) {
		found = append(found, one.(map[string]any))
	}
	return found
}

func TestOperatorsFindOrganizationsAndNothingInThem(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	bundle.operators()
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	acme, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "member")
	require.Equal(t, 200, bundle.REST("POST", path+"/teams", ada.token, map[string]any{"displayName": "Engines"}).Status)
	bundle.clock.Advance(time.Minute)
	globex, _ := bundle.found(t, ben, "Globex")
	bundle.takeEvents(t)

	all := bundle.findAs(t, "support-token", "")
	require.Len(t, all, 2)
	require.Equal(t, globex.String(), all[0]["id"], "the newest first")
	require.Equal(t, map[string]any{
		"id": acme.String(), "displayName": "Acme", "slug": "acme", "state": "ACTIVE", "suspensionReason": "",
		"createTime": all[1]["createTime"], "memberCount": "2", "teamCount": "1",
	}, all[1], "and nothing else")
	for _, query := range []string{
		"filter=" + url.QueryEscape(`displayName:"acm"`), "filter=" + url.QueryEscape(`slug = "acme"`), "filter=" + url.QueryEscape(`slug = "ac*"`),
		"filter=" + url.QueryEscape(`id = "`+acme.String()+`"`), "filter=" + url.QueryEscape(`state = ACTIVE AND displayName:"acme"`),
		"orderBy=displayName&pageSize=1",
	} {
		found := bundle.findAs(t, "system-token", query)
		require.Len(t, found, 1, query)
		require.Equal(t, acme.String(), found[0]["id"], query)
	}
	require.Empty(t, bundle.findAs(t, "admin-token", "filter="+url.QueryEscape(`state = SUSPENDED`)))
	first := bundle.REST("GET", operatorPath+"?pageSize=1", "admin-token", nil)
	second := bundle.findAs(t, "admin-token", "pageSize=1&pageToken="+url.QueryEscape(first.Body["nextPageToken"].(string)))
	require.Equal(t, acme.String(), second[0]["id"])

	// A role in the deployment is none in an organization.
	for name := range bundle.operators() {
		for _, inside := range []string{path, path + "/members", path + "/policy", path + "/invitations"} {
			answer := bundle.REST("GET", inside, name+"-token", nil)
			require.Equal(t, "NOT_FOUND", answer.Reason(), "%s %s", name, inside)
		}
	}
	require.Empty(t, bundle.takeEvents(t))
}

func TestOnlyOperatorsFindAndOnlyAdminsSuspend(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	bundle.operators()
	ada := bundle.meet("ada")
	acme, path := bundle.found(t, ada, "Acme")
	bundle.takeEvents(t)
	suspend, resume := operatorPath+"/"+acme.String()+":suspend", operatorPath+"/"+acme.String()+":resume"
	why := map[string]any{"reason": "Unpaid"}
	for _, answer := range []rpctest.Answer{
		bundle.REST("GET", operatorPath, ada.token, nil), bundle.REST("POST", suspend, ada.token, why), bundle.REST("POST", resume, ada.token, nil),
		bundle.REST("POST", suspend, "support-token", why), bundle.REST("POST", resume, "support-token", map[string]any{}),
		bundle.REST("POST", suspend, "system-token", why),
		bundle.REST("POST", operatorPath+"/"+id.New().String()+":suspend", "support-token", why),
	} {
		require.Equal(t, 403, answer.Status, answer.Text)
		require.Equal(t, "PERMISSION_DENIED", answer.Reason(), "an owner is no operator, and support is no admin")
	}
	unproven := call.Actor{Kind: call.User, UserID: id.New(), SessionID: id.New(), AuthTime: bundle.clock.Now(), Operator: call.OperatorAdmin, Methods: call.Password | call.Strong}
	bundle.Tokens.Session("unproven", unproven)
	require.Equal(t, "POLICY_FORBIDS", bundle.REST("POST", suspend, "unproven", why).Reason())
	stale := bundle.Tokens.Operator("stale", id.New(), call.OperatorAdmin)
	stale.AuthTime = bundle.clock.Now().Add(-11 * time.Minute)
	bundle.Tokens.Session("stale", stale)
	require.Equal(t, "STEP_UP_REQUIRED", bundle.REST("POST", suspend, "stale", why).Reason())
	machine := bundle.operators()["admin"]
	machine.SessionID, machine.CredentialID, machine.Limits = id.ID{}, id.New(), &call.Limits{Scopes: call.NewScopes([]string{"organization"})}
	bundle.Tokens.Machine("machine", machine)
	require.Equal(t, "CREDENTIAL_NOT_ALLOWED", bundle.REST("GET", operatorPath, "machine", nil).Reason())
	require.Equal(t, "ACTIVE", bundle.REST("GET", path, ada.token, nil).Body["state"])
	require.Empty(t, bundle.takeEvents(t))
}

func TestAnAdminSuspendsAnOrganizationInItsOwnLog(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	admin := bundle.operators()["admin"]
	ada := bundle.meet("ada")
	acme, path := bundle.found(t, ada, "Acme")
	bundle.found(t, ada, "Globex")
	bundle.takeEvents(t)
	at := operatorPath + "/" + acme.String()
	require.Equal(t, "INVALID_ARGUMENT", bundle.REST("POST", at+":suspend", "admin-token", map[string]any{"reason": ""}).Reason())
	answer := bundle.REST("POST", at+":suspend", "admin-token", map[string]any{"reason": "Unpaid"})
	require.Equal(t, 200, answer.Status, answer.Text)
	require.Equal(t, "SUSPENDED", answer.Body["state"])
	require.Equal(t, "1", answer.Body["memberCount"])
	var organization, actor string
	require.NoError(t, bundle.database.Admin.QueryRow(t.Context(),
		`select organization_id::text, attributes::text from outbox where type = 'organization.organization.suspended'`).Scan(&organization, &actor))
	require.Equal(t, acme.String(), organization, "it is the tenant's")
	require.Contains(t, actor, admin.UserID.String(), "and names the operator")
	shown := bundle.REST("GET", path, ada.token, nil)
	require.Equal(t, "Unpaid", shown.Body["suspensionReason"])
	require.Len(t, bundle.findAs(t, "support-token", "filter="+url.QueryEscape("state = SUSPENDED")), 1)
	require.Equal(t, 200, bundle.REST("POST", at+":suspend", "admin-token", map[string]any{"reason": "Unpaid"}).Status)
	require.Equal(t, []string{"organization.organization.suspended"}, types(bundle.takeEvents(t)), "the same again is nothing new")

	answer = bundle.REST("POST", at+":resume", "admin-token", map[string]any{})
	require.Equal(t, "ACTIVE", answer.Body["state"], answer.Text)
	require.Equal(t, []string{"organization.organization.resumed"}, types(bundle.takeEvents(t)))
	for _, action := range []string{":suspend", ":resume"} {
		answer = bundle.REST("POST", operatorPath+"/"+id.New().String()+action, "admin-token", map[string]any{"reason": "x"})
		if action == ":resume" {
			answer = bundle.REST("POST", operatorPath+"/"+id.New().String()+action, "admin-token", map[string]any{})
		}
		require.Equal(t, "NOT_FOUND", answer.Reason(), answer.Text)
	}
	require.Equal(t, 200, bundle.REST("POST", path+":delete", ada.token, map[string]any{"confirmName": "Acme"}).Status)
	require.Equal(t, "DELETION_PENDING", bundle.REST("POST", at+":suspend", "admin-token", map[string]any{"reason": "x"}).Reason())
}

// Whoever does not act as an operator finds what they are in, and counts nothing.
func TestOnlyWhoActsAsAnOperatorSeesEveryOrganization(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	acme, _ := bundle.found(t, bundle.meet("ada"), "Acme")
	for question, wanted := range map[string]int{
		`select count(*) from organization`: 0, fmt.Sprintf(`select count(*) from count_organization('%s')`, acme): 0,
	} {
		var count int
		require.NoError(t, bundle.database.DB.Read(pg.Scope{UserID: id.New()}).QueryRow(t.Context(), question).Scan(&count))
		require.Equal(t, wanted, count, question)
	}
}

// A page of a large deployment is read along an index.
func TestFindingOrganizationsReadsAPage(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	_, err := bundle.database.Admin.Exec(t.Context(), `insert into organization (id, display_name, slug, created_at, updated_at, revision)
select gen_random_uuid(), 'Org ' || n, 'org-' || n, now() + n * interval '1 second', now(), 1 from generate_series(1, 20000) n`)
	require.NoError(t, err)
	_, err = bundle.database.Admin.Exec(t.Context(), `analyze organization`)
	require.NoError(t, err)
	bundle.operators()
	require.Len(t, bundle.findAs(t, "support-token", "pageSize=200"), 200)
	rows, err := bundle.database.Admin.Query(t.Context(), `explain select id from organization where true order by created_at desc, id desc limit 51`)
	require.NoError(t, err)
	var plan string
	for rows.Next() {
		var line string
		require.NoError(t, rows.Scan(&line))
		plan += line + "\n"
	}
	require.NoError(t, rows.Err())
	require.Contains(t, plan, "organization_created", plan)
	require.NotContains(t, plan, "Sort", plan)
}

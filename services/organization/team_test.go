package organization

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/app"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// team makes a team and returns its id and path.
func (b *testBundle) team(t *testing.T, who person, path, name string, parent id.ID) (id.ID, string) {
	t.Helper()
	body := map[string]any{"displayName": name}
	if !parent.IsZero() {
		body["parentTeamId"] = parent.String()
	}
	answer := b.REST("POST", path+"/teams", who.token, body)
	require.Equal(t, 200, answer.Status, answer.Text)
	return id.MustParse(answer.Body["id"].(string)), path + "/teams/" + answer.Body["id"].(string)
}

// addTo puts somebody into a team.
func (b *testBundle) addTo(t *testing.T, who person, teamPath string, added person, role string) {
	t.Helper()
	answer := b.REST("POST", teamPath+"/members", who.token, map[string]any{"userId": added.UserID.String(), "role": role})
	require.Equal(t, 200, answer.Status, answer.Text)
}

func TestTeamsAreMadeChangedAndDeleted(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "member")
	bundle.takeEvents(t)

	answer := bundle.REST("POST", path+"/teams", ada.token, map[string]any{"displayName": " Engine ", "description": "Turns."})
	require.Equal(t, 200, answer.Status, answer.Text)
	require.Equal(t, "Engine", answer.Body["displayName"])
	teamID := id.MustParse(answer.Body["id"].(string))
	teamPath := path + "/teams/" + teamID.String()
	require.Equal(t, answer.Body, bundle.REST("GET", teamPath, ben.token, nil).Body)
	require.Equal(t, 403, bundle.REST("POST", path+"/teams", ben.token, map[string]any{"displayName": "Mine"}).Status)
	require.Equal(t, []string{"displayName"}, bundle.REST("POST", path+"/teams", ada.token, map[string]any{"displayName": " "}).Fields())

	stale := bundle.REST("PATCH", teamPath, ada.token, map[string]any{"displayName": "Engines", "etag": "77"})
	require.Equal(t, "ETAG_MISMATCH", stale.Reason())
	changed := bundle.REST("PATCH", teamPath, ada.token, map[string]any{"displayName": "Engines", "etag": answer.Body["etag"]})
	require.Equal(t, 200, changed.Status, changed.Text)
	require.Equal(t, "Turns.", changed.Body["description"])
	require.NotEqual(t, answer.Body["etag"], changed.Body["etag"])
	require.Equal(t, changed.Body, bundle.REST("PATCH", teamPath, ada.token, map[string]any{"displayName": "Engines"}).Body, "no change")

	bundle.addTo(t, ada, teamPath, ben, "LEAD")
	again := bundle.REST("POST", teamPath+"/members", ada.token, map[string]any{"userId": ben.UserID.String()})
	require.Equal(t, "TEAM_MEMBER_EXISTS", again.Reason())
	stranger := bundle.REST("POST", teamPath+"/members", ada.token, map[string]any{"userId": id.New().String()})
	require.Equal(t, 400, stranger.Status)
	require.Equal(t, "USER_NOT_MEMBER", stranger.Reason())
	require.Contains(t, stranger.Text, `"field":"userId"`)
	listed := bundle.REST("GET", teamPath+"/members", ben.token, nil).Body["members"].([]any)
	require.Len(t, listed, 1)
	require.Equal(t, "LEAD", listed[0].(map[string]any)["role"])
	require.Equal(t, "ben", listed[0].(map[string]any)["displayName"])

	require.Equal(t, 200, bundle.REST("DELETE", teamPath, ada.token, nil).Status)
	require.Equal(t, 404, bundle.REST("GET", teamPath, ada.token, nil).Status)
	require.Equal(t, []string{"organization.team.created", "organization.team.updated", "organization.team_member.added", "organization.team.deleted"},
		types(bundle.takeEvents(t)))
	require.Zero(t, bundle.rows(t, "team_member", organizationID))
}

// rows counts an organization's rows in a table.
func (b *testBundle) rows(t *testing.T, table string, organizationID id.ID) (rows int) {
	t.Helper()
	require.NoError(t, b.database.Admin.QueryRow(t.Context(), `select count(*) from `+table+` where organization_id = $1`, organizationID).Scan(&rows))
	return rows
}

func TestTeamsNestThreeLevelsAndNeverInACircle(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	top, topPath := bundle.team(t, ada, path, "Top", id.ID{})
	middle, middlePath := bundle.team(t, ada, path, "Middle", top)
	low, lowPath := bundle.team(t, ada, path, "Low", middle)
	other, otherPath := bundle.team(t, ada, path, "Other", id.ID{})
	_, _ = bundle.team(t, ada, path, "Below other", other)
	foreign, _ := bundle.team(t, ada, second(bundle.found(t, ada, "Other organization")), "Foreign", id.ID{})

	deep := bundle.REST("POST", path+"/teams", ada.token, map[string]any{"displayName": "Deep", "parentTeamId": low.String()})
	require.Equal(t, 409, deep.Status)
	require.Equal(t, "TEAM_TOO_DEEP", deep.Reason())
	for _, unknown := range []id.ID{id.New(), foreign} {
		answer := bundle.REST("POST", path+"/teams", ada.token, map[string]any{"displayName": "Lost", "parentTeamId": unknown.String()})
		require.Equal(t, "TEAM_PARENT_UNKNOWN", answer.Reason())
		require.Equal(t, []string{"parentTeamId"}, answer.Fields())
	}
	move := func(teamPath string, parent id.ID) string {
		return bundle.REST("PATCH", teamPath, ada.token, map[string]any{"parentTeamId": parent.String()}).Reason()
	}
	require.Equal(t, "TEAM_CYCLE", move(topPath, top))
	require.Equal(t, "TEAM_CYCLE", move(topPath, low))
	require.Equal(t, "TEAM_TOO_DEEP", move(otherPath, middle), "what is below it counts")
	require.Equal(t, "TEAM_TOO_DEEP", move(topPath, other))
	require.Equal(t, "TEAM_HAS_CHILDREN", bundle.REST("DELETE", middlePath, ada.token, nil).Reason())
	require.Empty(t, move(lowPath, other))
	require.Equal(t, 200, bundle.REST("PATCH", lowPath+"?updateMask=parentTeamId", ada.token, map[string]any{}).Status, "to the top")
	require.Empty(t, bundle.REST("GET", lowPath, ada.token, nil).Body["parentTeamId"])
	require.Equal(t, 200, bundle.REST("DELETE", middlePath, ada.token, nil).Status)
}

func second(_ id.ID, path string) string { return path }

func TestTwoTeamsThatMoveBelowEachOtherMakeNoCircle(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	organizationID, path := bundle.found(t, ada, "Acme")
	one, _ := bundle.team(t, ada, path, "One", id.ID{})
	other, _ := bundle.team(t, ada, path, "Other", id.ID{})
	move := func(team, parent id.ID) work {
		return func(ctx context.Context, tx *pg.Tx) error {
			_, err := bundle.app.UpdateTeam(ctx, tx, organizationID, team, app.TeamChange{ParentID: &parent})
			return err
		}
	}
	first, late := bundle.collide(t, organizationID, ada, move(one, other), ada, move(other, one))
	require.NoError(t, first)
	require.ErrorIs(t, late, domain.ErrTeamCycle)

	deleted, added := bundle.collide(t, organizationID, ada, func(ctx context.Context, tx *pg.Tx) error {
		return bundle.app.DeleteTeam(ctx, tx, organizationID, one)
	}, ada, func(ctx context.Context, tx *pg.Tx) error {
		_, err := bundle.app.CreateTeam(ctx, tx, organizationID, domain.Team{DisplayName: "Late", ParentID: one})
		return err
	})
	require.NoError(t, deleted)
	require.ErrorIs(t, added, domain.ErrTeamParentUnknown)
}

func TestALeadManagesTheOwnTeamOnly(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, lead, cleo, dora := bundle.meet("ada"), bundle.meet("lead"), bundle.meet("cleo"), bundle.meet("dora")
	organizationID, path := bundle.found(t, ada, "Acme")
	for _, joining := range []person{lead, cleo, dora} {
		bundle.join(t, ada, path, joining, "viewer")
	}
	top, topPath := bundle.team(t, ada, path, "Top", id.ID{})
	_, lowPath := bundle.team(t, ada, path, "Low", top)
	bundle.addTo(t, ada, topPath, lead, "LEAD")
	bundle.addTo(t, lead, topPath, cleo, "MEMBER")

	for _, request := range []struct {
		who          person
		method, path string
		body         map[string]any
		permission   string
	}{
		{lead, "POST", lowPath + "/members", map[string]any{"userId": dora.UserID.String()}, "organization.team_member.add"},
		{cleo, "POST", topPath + "/members", map[string]any{"userId": dora.UserID.String()}, "organization.team_member.add"},
		{cleo, "PATCH", topPath + "/members/" + cleo.UserID.String(), map[string]any{"role": "LEAD"}, "organization.team_member.update"},
		{cleo, "DELETE", topPath + "/members/" + lead.UserID.String(), nil, "organization.team_member.remove"},
		{lead, "PATCH", topPath, map[string]any{"displayName": "Mine"}, "organization.team.update"},
	} {
		answer := bundle.REST(request.method, request.path, request.who.token, request.body)
		require.Equal(t, 403, answer.Status, "%s %s", request.method, request.path)
		require.Equal(t, "PERMISSION_DENIED", answer.Reason())
		require.Equal(t, request.permission, answer.Metadata()["permission"])
	}
	require.Equal(t, 404, bundle.REST("POST", path+"/teams/"+id.New().String()+"/members", lead.token, map[string]any{"userId": dora.UserID.String()}).Status)

	promoted := bundle.REST("PATCH", topPath+"/members/"+cleo.UserID.String(), lead.token, map[string]any{"role": "LEAD"})
	require.Equal(t, "LEAD", promoted.Body["role"], promoted.Text)
	require.Equal(t, 200, bundle.REST("DELETE", topPath+"/members/"+lead.UserID.String(), cleo.token, nil).Status)
	require.Equal(t, 403, bundle.REST("DELETE", topPath+"/members/"+cleo.UserID.String(), lead.token, nil).Status, "no lead any more")
	require.Equal(t, 200, bundle.REST("DELETE", topPath+"/members/"+cleo.UserID.String(), cleo.token, nil).Status, "anybody may leave")

	bundle.addTo(t, ada, lowPath, dora, "MEMBER")
	teams := func() []id.ID {
		found, err := store.TeamsOf(t.Context(), bundle.database.DB.Read(pg.Scope{OrganizationID: organizationID}), organizationID, dora.UserID)
		require.NoError(t, err)
		return found
	}
	require.Len(t, teams(), 2)
	require.True(t, slices.Contains(teams(), top), "who is in a team is in those above it")
	require.Equal(t, 200, bundle.REST("DELETE", path+"/members/"+dora.UserID.String(), dora.token, nil).Status)
	require.Empty(t, teams(), "leaving the organization leaves its teams")
}

func TestTeamsHaveLimits(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "viewer")
	_, teamPath := bundle.team(t, ada, path, "One", id.ID{})
	_, err := bundle.database.Admin.Exec(t.Context(), `insert into team select $1, gen_random_uuid(), 'x', '', null, now(), now(), 1 from generate_series(1, $2)`,
		organizationID, domain.MaxTeams-1)
	require.NoError(t, err)
	full := bundle.REST("POST", path+"/teams", ada.token, map[string]any{"displayName": "Too many"})
	require.Equal(t, "LIMIT_REACHED", full.Reason())
	require.Equal(t, fmt.Sprint(domain.MaxTeams), full.Metadata()["limit"])

	_, err = bundle.database.Admin.Exec(t.Context(), `with someone as (
    insert into member select $1, gen_random_uuid(), '{viewer}', now(), 1 from generate_series(1, $2) returning user_id
) select count(*) from someone`, organizationID, domain.MaxTeamMembers)
	require.NoError(t, err)
	_, err = bundle.database.Admin.Exec(t.Context(), `insert into team_member select $1, $2, user_id, 'member', now() from member
where organization_id = $1 and not (user_id = any ($3))`, organizationID, teamPath[len(path+"/teams/"):], []string{ada.UserID.String(), ben.UserID.String()})
	require.NoError(t, err)
	full = bundle.REST("POST", teamPath+"/members", ada.token, map[string]any{"userId": ben.UserID.String()})
	require.Equal(t, "LIMIT_REACHED", full.Reason())
}

func TestTeamEventsNameTheTeam(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	top, _ := bundle.team(t, ada, path, "Top", id.ID{})
	low, lowPath := bundle.team(t, ada, path, "Low", top)
	bundle.takeEvents(t)
	require.Equal(t, 200, bundle.REST("PATCH", lowPath+"?updateMask=parentTeamId", ada.token, map[string]any{}).Status)
	bundle.addTo(t, ada, lowPath, ada, "LEAD")
	events := bundle.takeEvents(t)
	require.Equal(t, "team/"+low.String(), events[0].Subject)
	moved := events[0].Payload.(*organizationv1.TeamUpdated)
	require.Equal(t, top.String(), moved.GetPreviousParentTeamId())
	require.Empty(t, moved.GetParentTeamId())
	require.True(t, events[1].Payload.(*organizationv1.TeamMemberAdded).GetLead())
}

package organization

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/testkit/rpctest"
)

// assign gives a role to somebody and returns the assignment's id.
func (b *testBundle) assign(t *testing.T, giver person, path string, to person, body object) string {
	t.Helper()
	answer := b.tryAssign(giver, path, to, body)
	require.Equal(t, 200, answer.Status, answer.Text)
	return answer.Body["id"].(string)
}

func (b *testBundle) tryAssign(giver person, path string, to person, body object) rpctest.Answer {
	given := object{"subject": object{"type": "USER", "id": to.UserID.String()}}
	for key, value := range body {
		given[key] = value
	}
	return b.REST("POST", path+"/assignments", giver.token, given)
}

// check asks what somebody may do, for a project when one is named, and returns the reason.
func (b *testBundle) check(t *testing.T, path string, who person, permission, projectID string) string {
	t.Helper()
	question := object{"permission": permission}
	if projectID != "" {
		question["resource"] = object{"type": "task", "projectId": projectID}
	}
	answer := b.REST("POST", path+"/access:check", who.token, question)
	require.Equal(t, 200, answer.Status, answer.Text)
	reason, _ := answer.Body["reason"].(string)
	return reason
}

const writeTasks = "workflow.task.create"

func TestAnAssignmentGivesARoleForAPlaceAndATime(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "viewer")
	project, other := id.New().String(), id.New().String()
	require.Equal(t, "no_role_with_permission", bundle.check(t, path, ben, writeTasks, project))
	bundle.takeEvents(t)
	now := bundle.clock.Now()
	created := bundle.tryAssign(ada, path, ben, object{
		"roleId": "member", "scope": object{"type": "PROJECT", "id": project},
		"startTime": now.Add(time.Hour).Format(time.RFC3339), "expireTime": now.Add(2 * time.Hour).Format(time.RFC3339),
	})
	require.Equal(t, 200, created.Status, created.Text)
	require.NotEmpty(t, created.Body["accessRevision"])
	events := bundle.takeEvents(t)
	require.Equal(t, []string{"organization.assignment.created"}, types(events))
	require.Equal(t, ben.UserID.String(), events[0].Payload.(*organizationv1.AssignmentCreated).GetAssignment().GetSubject().GetId())

	require.Equal(t, "no_role_with_permission", bundle.check(t, path, ben, writeTasks, project), "not yet")
	bundle.clock.Advance(time.Hour)
	require.Equal(t, "role:member", bundle.check(t, path, ben, writeTasks, project))
	require.Equal(t, "no_role_with_permission", bundle.check(t, path, ben, writeTasks, other))
	require.Equal(t, "no_role_with_permission", bundle.check(t, path, ben, writeTasks, ""), "not in the whole organization")
	bundle.clock.Advance(time.Hour)
	require.Equal(t, "no_role_with_permission", bundle.check(t, path, ben, writeTasks, project), "no longer")

	assignment := path + "/assignments/" + created.Body["id"].(string)
	read := bundle.REST("GET", assignment, ada.token, nil)
	require.Equal(t, created.Body["scope"], read.Body["scope"])
	require.Equal(t, []any{created.Body["id"]}, bundle.pages(t, ada, path+"/assignments", "assignments", "id",
		`subject.id = `+ben.UserID.String()+` AND scope.type = PROJECT AND roleId = "member"`, ""))
	require.Empty(t, bundle.pages(t, ada, path+"/assignments", "assignments", "id", "subject.type = TEAM", ""))
	require.Equal(t, 200, bundle.REST("DELETE", assignment, ada.token, nil).Status)
	require.Equal(t, []string{"organization.assignment.deleted"}, types(bundle.takeEvents(t)))
	require.Equal(t, 404, bundle.REST("GET", assignment, ada.token, nil).Status)
}

func TestADenialWinsAndOwnershipNarrows(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "member")
	frozen := id.New().String()
	denying := bundle.role(t, ada, path, object{"deniedPermissions": []string{writeTasks}})
	assignment := bundle.assign(t, ada, path, ben, object{"roleId": denying, "scope": object{"type": "PROJECT", "id": frozen}})
	require.Equal(t, "denied:"+denying, bundle.check(t, path, ben, writeTasks, frozen))
	require.Equal(t, "role:member", bundle.check(t, path, ben, writeTasks, id.New().String()))
	require.Equal(t, 200, bundle.REST("DELETE", path+"/assignments/"+assignment, ada.token, nil).Status)
	require.Equal(t, "role:member", bundle.check(t, path, ben, writeTasks, frozen))

	bundle.assign(t, ada, path, ben, object{"roleId": "admin", "owned": true})
	archive := func(ownerID id.ID) any {
		return bundle.REST("POST", path+"/access:check", ben.token, object{
			"permission": "workflow.project.archive", "resource": object{"type": "project", "id": frozen, "ownerId": ownerID.String()},
		}).Body["allowed"]
	}
	require.Equal(t, true, archive(ben.UserID))
	require.NotEqual(t, true, archive(ada.UserID))
}

func TestAnAssignmentThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, eve := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("eve")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "viewer")
	now := bundle.clock.Now()
	at := func(after time.Duration) string { return now.Add(after).Format(time.RFC3339) }
	for name, test := range map[string]struct {
		to     person
		body   object
		status int
		reason string
		field  string
	}{
		"to a stranger":          {eve, object{"roleId": "viewer"}, 400, "SUBJECT_UNKNOWN", "subject.id"},
		"an unknown role":        {ben, object{"roleId": "king"}, 400, "ROLE_UNKNOWN", "roleId"},
		"the owner's role":       {ben, object{"roleId": "owner"}, 409, "ROLE_NOT_ASSIGNABLE", ""},
		"a condition of nothing": {ben, object{"roleId": "viewer", "condition": "request.adress"}, 400, "CONDITION_INVALID", "condition"},
		"a project without id":   {ben, object{"roleId": "viewer", "scope": object{"type": "PROJECT"}}, 400, "INVALID_ARGUMENT", "scope.id"},
		"the organization by id": {ben, object{"roleId": "viewer", "scope": object{"type": "ORGANIZATION", "id": id.New().String()}}, 400, "INVALID_ARGUMENT", "scope.id"},
		"a resource of no type":  {ben, object{"roleId": "viewer", "scope": object{"type": "RESOURCE", "id": id.New().String()}}, 400, "INVALID_ARGUMENT", "scope.resourceType"},
		"over already":           {ben, object{"roleId": "viewer", "expireTime": at(-time.Hour)}, 400, "INVALID_ARGUMENT", "expireTime"},
		"over before it begins":  {ben, object{"roleId": "viewer", "startTime": at(2 * time.Hour), "expireTime": at(time.Hour)}, 400, "INVALID_ARGUMENT", "expireTime"},
		"over since ever":        {ben, object{"roleId": "viewer", "expireTime": "0001-01-01T00:00:00Z"}, 400, "INVALID_ARGUMENT", "expireTime"},
		"before there was time":  {ben, object{"roleId": "viewer", "startTime": "1969-12-31T23:59:59Z"}, 400, "INVALID_ARGUMENT", "startTime"},
		"delegable to a team":    {ben, object{"roleId": "viewer", "delegable": true, "subject": object{"type": "TEAM", "id": id.New().String()}}, 400, "INVALID_ARGUMENT", "delegable"},
	} {
		answer := bundle.tryAssign(ada, path, test.to, test.body)
		require.Equal(t, test.status, answer.Status, "%s: %s", name, answer.Text)
		require.Equal(t, test.reason, answer.Reason(), name)
		if test.field != "" {
			require.Equal(t, []string{test.field}, answer.Fields(), name)
		}
	}
}

// Nobody grants what they don't hold where, as long and under the conditions they would grant it.
func TestNobodyAssignsWhatTheyLack(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, cleo := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("cleo")
	_, path := bundle.found(t, ada, "Acme")
	giving := bundle.role(t, ada, path, object{"permissions": []string{"organization.assignment.create", "organization.assignment.delete"}})
	for _, joining := range []person{ben, cleo} {
		bundle.join(t, ada, path, joining, "viewer")
	}
	require.Equal(t, 200, bundle.REST("PATCH", memberPath(path, ben), ada.token, object{"roleIds": []string{"viewer", giving}}).Status)
	project, until := id.New().String(), bundle.clock.Now().Add(time.Hour)
	held := bundle.assign(t, ada, path, ben, object{"roleId": "member", "scope": object{"type": "PROJECT", "id": project}, "expireTime": until.Format(time.RFC3339)})
	inProject := object{"type": "PROJECT", "id": project}
	for name, test := range map[string]struct {
		body object
		good bool
	}{
		"what all can":             {object{"roleId": "viewer"}, true},
		"in the same project":      {object{"roleId": "member", "scope": inProject, "expireTime": until.Format(time.RFC3339)}, true},
		"for longer":               {object{"roleId": "member", "scope": inProject, "expireTime": until.Add(time.Second).Format(time.RFC3339)}, false},
		"for ever":                 {object{"roleId": "member", "scope": inProject}, false},
		"elsewhere":                {object{"roleId": "member", "scope": object{"type": "PROJECT", "id": id.New().String()}, "expireTime": until.Format(time.RFC3339)}, false},
		"everywhere":               {object{"roleId": "member", "expireTime": until.Format(time.RFC3339)}, false},
		"more":                     {object{"roleId": "admin", "scope": inProject, "expireTime": until.Format(time.RFC3339)}, false},
		"more, only on conditions": {object{"roleId": "admin", "condition": "request.secondFactor"}, false},
	} {
		answer := bundle.tryAssign(ben, path, cleo, test.body)
		if test.good {
			require.Equal(t, 200, answer.Status, "%s: %s", name, answer.Text)
			continue
		}
		require.Equal(t, "GRANT_EXCEEDS_OWN", answer.Reason(), "%s: %s", name, answer.Text)
	}
	higher := bundle.assign(t, ada, path, cleo, object{"roleId": "admin"})
	require.Equal(t, "GRANT_EXCEEDS_OWN", bundle.REST("DELETE", path+"/assignments/"+higher, ben.token, nil).Reason(), "nor does anybody take it")
	require.Equal(t, 200, bundle.REST("DELETE", path+"/assignments/"+held, ada.token, nil).Status)
}

// Nobody but an owner denies anything to an owner, and who is denied something can't lift that.
func TestDenialsAreNoWayAroundTheOwners(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "admin")
	denying := bundle.role(t, ben, path, object{"deniedPermissions": []string{"organization.role.update"}})
	require.Equal(t, "GRANT_EXCEEDS_OWN", bundle.tryAssign(ben, path, ada, object{"roleId": denying}).Reason())
	require.Equal(t, "GRANT_EXCEEDS_OWN",
		bundle.REST("PATCH", memberPath(path, ada), ben.token, object{"roleIds": []string{"owner", denying}}).Reason())

	harmless := bundle.role(t, ada, path, object{"permissions": []string{"workflow.task.read"}})
	bundle.assign(t, ada, path, ada, object{"roleId": harmless})
	turned := bundle.REST("PATCH", path+"/roles/"+harmless, ben.token, object{"deniedPermissions": []string{"workflow.task.read"}})
	require.Equal(t, "GRANT_EXCEEDS_OWN", turned.Reason(), turned.Text)

	assignment := bundle.assign(t, ada, path, ben, object{"roleId": denying})
	require.Equal(t, "denied:"+denying, bundle.check(t, path, ben, "organization.role.update", ""))
	require.Equal(t, "GRANT_EXCEEDS_OWN", bundle.REST("DELETE", path+"/assignments/"+assignment, ben.token, nil).Reason())
}

func TestDelegationStaysWithinItsSource(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, cleo := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("cleo")
	_, path := bundle.found(t, ada, "Acme")
	for _, joining := range []person{ben, cleo} {
		bundle.join(t, ada, path, joining, "viewer")
	}
	project, end := id.New().String(), bundle.clock.Now().Add(time.Hour)
	source := bundle.assign(t, ada, path, ben, object{
		"roleId": "member", "delegable": true, "scope": object{"type": "PROJECT", "id": project}, "expireTime": end.Format(time.RFC3339),
	})
	fixed := bundle.assign(t, ada, path, ben, object{"roleId": "member", "scope": object{"type": "PROJECT", "id": project}})
	delegate := func(who person, assignment string, to person, body object) rpctest.Answer {
		given := object{"subject": object{"type": "USER", "id": to.UserID.String()}}
		for key, value := range body {
			given[key] = value
		}
		return bundle.REST("POST", path+"/assignments/"+assignment+":delegate", who.token, given)
	}
	for name, refused := range map[string]rpctest.Answer{
		"another's":       delegate(cleo, source, cleo, nil),
		"not delegable":   delegate(ben, fixed, cleo, nil),
		"wider":           delegate(ben, source, cleo, object{"scope": object{"type": "ORGANIZATION"}}),
		"elsewhere":       delegate(ben, source, cleo, object{"scope": object{"type": "PROJECT", "id": id.New().String()}}),
		"in it, who says": delegate(ben, source, cleo, object{"scope": object{"type": "RESOURCE", "resourceType": "task", "id": id.New().String()}}),
		"longer":          delegate(ben, source, cleo, object{"expireTime": end.Add(time.Second).Format(time.RFC3339)}),
	} {
		require.Equal(t, "NOT_DELEGABLE", refused.Reason(), "%s: %s", name, refused.Text)
	}
	inIt := delegate(ben, source, cleo, object{"scope": object{"type": "RESOURCE", "resourceType": "task", "id": id.New().String()}})
	require.Contains(t, inIt.Text, "nothing here proves that the resource is in it")
	given := delegate(ben, source, cleo, object{"condition": `resource.type == "task"`})
	require.Equal(t, 200, given.Status, given.Text)
	require.Equal(t, source, given.Body["sourceAssignmentId"])
	require.Equal(t, end.Format(time.RFC3339), given.Body["expireTime"])
	require.Equal(t, "role:member", bundle.check(t, path, cleo, writeTasks, project))
	second := delegate(cleo, given.Body["id"].(string), ben, nil)
	require.Equal(t, "NOT_DELEGABLE", second.Reason(), "one step only")

	bundle.takeEvents(t)
	require.Equal(t, 200, bundle.REST("DELETE", path+"/assignments/"+source, ada.token, nil).Status)
	require.Equal(t, []string{"organization.assignment.deleted", "organization.assignment.deleted"}, types(bundle.takeEvents(t)))
	require.Equal(t, "no_role_with_permission", bundle.check(t, path, cleo, writeTasks, project))
}

func TestWhoLeavesTakesNothingAlong(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, cleo := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("cleo")
	_, path := bundle.found(t, ada, "Acme")
	for _, joining := range []person{ben, cleo} {
		bundle.join(t, ada, path, joining, "viewer")
	}
	source := bundle.assign(t, ada, path, ben, object{"roleId": "member", "delegable": true})
	given := bundle.REST("POST", path+"/assignments/"+source+":delegate", ben.token, object{"subject": object{"type": "USER", "id": cleo.UserID.String()}})
	require.Equal(t, 200, given.Status, given.Text)
	bundle.takeEvents(t)
	left := bundle.REST("DELETE", memberPath(path, ben), ben.token, nil)
	require.Equal(t, 200, left.Status, left.Text)
	require.NotEmpty(t, left.Body["accessRevision"])
	require.Equal(t, []string{"organization.assignment.deleted", "organization.assignment.deleted", "organization.member.removed"}, types(bundle.takeEvents(t)))
	require.Equal(t, "no_role_with_permission", bundle.check(t, path, cleo, writeTasks, ""))
	bundle.join(t, ada, path, ben, "viewer")
	require.Equal(t, "no_role_with_permission", bundle.check(t, path, ben, writeTasks, ""))
}

func TestAssignmentsAreLimited(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, cleo := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("cleo")
	organizationID, path := bundle.found(t, ada, "Acme")
	for _, joining := range []person{ben, cleo} {
		bundle.join(t, ada, path, joining, "viewer")
	}
	fill := func(subjectID id.ID, count int) {
		_, err := bundle.database.Admin.Exec(t.Context(), `insert into assignment (organization_id, id, subject_type, subject_id, role_id,
	scope_type, resource_type, owned, delegable, condition, creator_id, created_at)
select $1, gen_random_uuid(), 'user', $2, 'viewer', 'organization', '', false, false, '', $2, now() from generate_series(1, $3)`,
			organizationID.String(), subjectID.String(), count)
		require.NoError(t, err)
	}
	fill(ben.UserID, domain.MaxSubjectAssignments-1)
	bundle.assign(t, ada, path, ben, object{"roleId": "viewer"})
	full := bundle.tryAssign(ada, path, ben, object{"roleId": "viewer"})
	require.Equal(t, "ASSIGNMENT_LIMIT", full.Reason(), full.Text)
	require.Equal(t, "subject", full.Metadata()["of"])
	fill(id.New(), domain.MaxOrganizationAssignments-domain.MaxSubjectAssignments)
	full = bundle.tryAssign(ada, path, cleo, object{"roleId": "viewer"})
	require.Equal(t, "organization", full.Metadata()["of"], full.Text)
}

package organization

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// conditionBombs cost much to read or to decide, or would if they were taken.
var conditionBombs = map[string]string{
	"loops in loops":            `[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, a+b+c > 0)))`,
	"a list that doubles":       `[1,2].map(x, [x, x]).map(y, [y, y]).size() > 0`,
	"brackets":                  strings.Repeat("(", 400) + "true" + strings.Repeat(")", 400),
	"lists":                     strings.Repeat("[", 300) + "1" + strings.Repeat("]", 300) + " == [1]",
	"a sum":                     strings.TrimSuffix(strings.Repeat("1+", 490), "+") + " > 0",
	"choices":                   strings.Repeat("true ? true : ", 70) + "true",
	"a pattern that is large":   `request.factor.matches("(a{100}){6}")`,
	"a pattern with a thousand": `request.factor.matches("a{1001}")`,
	"patterns in patterns":      `request.factor.matches("((((a{9}){9}){9}){9})")`,
	"many patterns":             strings.TrimSuffix(strings.Repeat(`"a".matches("`+strings.Repeat("a?", 16)+`")&&`, 19), "&&"),
	"a pattern of the caller's": `request.factor.matches(request.address)`,
	"longer than may be":        strings.Repeat(" ", 100_000) + "true",
}

// Whoever may write conditions can't make the service work for long by them, wherever one is taken.
func TestConditionsThatCostMuchAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, domain.Viewer)
	bundle.takeEvents(t)
	for name, condition := range conditionBombs {
		for place, request := range map[string]struct {
			path string
			body object
		}{
			"role": {"/roles", object{"displayName": "Bomb", "parents": []object{{"roleId": "viewer", "inheritance": "CONDITIONAL", "condition": condition}}}},
			"assignment": {"/assignments", object{
				"subject": object{"type": "USER", "id": ben.UserID.String()}, "roleId": "member", "scope": object{"type": "ORGANIZATION"}, "condition": condition,
			}},
		} {
			before := time.Now()
			answer := bundle.REST("POST", path+request.path, ada.token, request.body)
			require.Equal(t, 400, answer.Status, "%s, %s: %s", name, place, answer.Text)
			require.Contains(t, []string{"CONDITION_INVALID", "INVALID_ARGUMENT"}, answer.Reason(), "%s, %s", name, place)
			require.True(t, strings.HasSuffix(answer.Fields()[0], "condition"), "%s, %s: %v", name, place, answer.Fields())
			require.Less(t, time.Since(before), 5*time.Second, "%s, %s", name, place)
			require.Less(t, len(answer.Text), 4096, "%s, %s: it is not repeated", name, place)
		}
	}
	require.Empty(t, bundle.takeEvents(t), "nothing came of any")
}

// A pattern that takes some engines longer than the universe lasts is taken, and decided within a moment: ours does not
// go back.
func TestPatternsThatBacktrackElsewhereAreDecidedAtOnce(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, domain.Viewer)
	long := strings.Repeat("a", 60) + "!"
	for _, pattern := range []string{`^(a+)+$`, `^(a|a)*$`, `^(a|aa)+$`, `^([a-zA-Z]+)*$`, `^(.*a){5}$`} {
		answer := bundle.REST("POST", path+"/assignments", ada.token, object{
			"subject": object{"type": "USER", "id": ben.UserID.String()}, "roleId": "member", "scope": object{"type": "ORGANIZATION"},
			"condition": `"` + long + `".matches("` + pattern + `")`,
		})
		require.Contains(t, []int{200, 400}, answer.Status, "%s: %s", pattern, answer.Text)
	}
	before := time.Now()
	checked := bundle.REST("POST", path+"/access:check", ada.token, object{"permission": "workflow.task.create", "userId": ben.UserID.String()})
	require.Equal(t, 200, checked.Status, checked.Text)
	require.NotEqual(t, true, checked.Body["allowed"])
	require.Less(t, time.Since(before), 5*time.Second)
}

// What the server writes is nobody's to write, in a request that makes something as in one that changes it.
func TestNobodyWritesWhatTheServerWrites(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, domain.Viewer)
	role := bundle.REST("POST", path+"/roles", ada.token, object{"displayName": "Reviewer"})
	require.Equal(t, 200, role.Status, role.Text)
	stranger, past := id.New().String(), "2020-01-01T00:00:00Z"
	for changed, forged := range map[string]struct {
		id   string
		body object
		kept []string
	}{
		path: {"id", object{"displayName": "Other", "createTime": past, "updateTime": past},
			[]string{"id", "createTime"}},
		path + "/roles/" + role.Body["id"].(string): {"id", object{"description": "Other", "system": true, "version": 99, "createTime": past, "updateTime": past},
			[]string{"id", "system", "createTime"}},
		path + "/members/" + ben.UserID.String(): {"userId", object{"roleIds": []string{"member"}, "joinTime": past},
			[]string{"userId", "joinTime", "email"}},
	} {
		first := bundle.REST("PATCH", changed, ada.token, object{})
		require.Equal(t, 200, first.Status, first.Text)
		answer := bundle.REST("PATCH", changed, ada.token, forged.body)
		require.Equal(t, 200, answer.Status, "what was read may be sent back: %s", answer.Text)
		for _, field := range forged.kept {
			require.Equal(t, first.Body[field], answer.Body[field], "%s: %s", changed, field)
		}
		require.NotEqual(t, past, answer.Body["updateTime"])
		require.NotEqual(t, float64(99), answer.Body["version"])
		renamed := bundle.REST("PATCH", changed, ada.token, object{forged.id: stranger})
		if renamed.Status == 200 {
			require.Equal(t, first.Body[forged.id], renamed.Body[forged.id], "passed over: %s", renamed.Text)
		} else {
			require.Equal(t, []string{forged.id}, renamed.Fields(), renamed.Text)
		}
		for _, unknown := range []string{"organizationId", "ownerId", "isAdmin", "deniedBy", "plan"} {
			answer := bundle.REST("PATCH", changed, ada.token, object{unknown: organizationID.String()})
			require.Equal(t, 400, answer.Status, "%s: %s %s", changed, unknown, answer.Text)
			require.Equal(t, []string{unknown}, answer.Fields())
		}
	}
	for _, body := range []object{
		{"displayName": "X", "id": stranger}, {"displayName": "X", "ownerId": ben.UserID.String()}, {"displayName": "X", "createTime": past},
	} {
		require.Equal(t, 400, bundle.REST("POST", "/api/v1/organizations", ada.token, body).Status)
	}
	for _, body := range []object{
		{"email": "cleo@example.com", "roleId": "viewer", "state": "ACCEPTED"}, {"email": "cleo@example.com", "roleId": "viewer", "inviterId": stranger},
		{"email": "cleo@example.com", "roleId": "viewer", "token": "x"},
	} {
		require.Equal(t, 400, bundle.REST("POST", path+"/invitations", ada.token, body).Status)
	}
}

// An address is one line of one address before anything is written or mailed.
func TestNoLineBreakGetsIntoAnInvitedAddress(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	bundle.takeEvents(t)
	for _, email := range []string{
		"ben@example.com\r\nBcc: all@example.com", "ben@example.com\nx", "ben@example.com\x00", "ben@example.com,eve@example.com", "Ben <ben@example.com>",
		"ben@example.com\u2028x", "ben@example.com ", "ben@exam\tple.com", "<ben@example.com>",
	} {
		answer := bundle.REST("POST", path+"/invitations", ada.token, object{"email": email, "roleId": "viewer"})
		require.Equal(t, 400, answer.Status, "%q: %s", email, answer.Text)
		require.Equal(t, []string{"email"}, answer.Fields(), "%q", email)
	}
	require.Empty(t, bundle.takeEvents(t))
}

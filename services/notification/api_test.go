package notification_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/gen/go/braid/notification/v1/notificationv1connect"

	notificationv1 "github.com/braidhq/braid/gen/go/braid/notification/v1"
	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/notification/internal/store"
	"github.com/braidhq/braid/testkit/rpctest"
)

const (
	notificationsPath = "/api/v1/me/notifications"
	preferencesPath   = "/api/v1/me/notification-preferences"
)

func items(answer rpctest.Answer) []map[string]any {
	list, _ := answer.Body["notifications"].([]any)
	found := make([]map[string]any, 0, len(list))
	for _, item := range list {
		found = append(found, item.(map[string]any))
	}
	return found
}

func (b *bench) list(token, query string) rpctest.Answer {
	b.t.Helper()
	answer := b.rest.REST("GET", notificationsPath+query, token, nil)
	require.Equal(b.t, 200, answer.Status, answer.Text)
	return answer
}

func (b *bench) unread(token string) any {
	b.t.Helper()
	answer := b.rest.REST("GET", notificationsPath+":unreadCount", token, nil)
	require.Equal(b.t, 200, answer.Status, answer.Text)
	return answer.Body["unreadCount"]
}

func TestListIsDeclaredInFull(t *testing.T) {
	t.Parallel()
	require.NoError(t, store.NotificationSpec().Validate())
}

func TestReadingOnesNotifications(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	organizationID := id.New()
	_, ada := b.person(organizationID, "ada")
	token, ben := b.person(organizationID, "ben")
	otherToken, eve := b.person(organizationID, "eve")
	task := newTask(organizationID, ben)
	require.NoError(t, b.apply(
		b.event(organizationID, ada, &workflowv1.TaskCreated{Task: task}),
		b.event(organizationID, ada, &workflowv1.TaskCommented{Task: task, ParticipantIds: []string{ben.String(), eve.String()}}),
		b.event(organizationID, ada, &workflowv1.TaskStatusChanged{Task: task, ParticipantIds: []string{ben.String()}}),
	))

	listed := items(b.list(token, ""))
	require.Len(t, listed, 3)
	require.Equal(t, []any{"task_status_changed", "task_commented", "task_assigned"}, []any{listed[0]["kind"], listed[1]["kind"], listed[2]["kind"]})
	newest := listed[0]
	require.Equal(t, "WEB-12 is now in review: Fix the login", newest["title"])
	require.Equal(t, organizationID.String(), newest["organizationId"])
	require.Equal(t, ada.String(), newest["actorId"])
	require.Equal(t, task.GetId(), newest["taskId"])
	require.Equal(t, "WEB-12", newest["taskKey"])
	require.Equal(t, task.GetProjectId(), newest["projectId"])
	require.Equal(t, true, newest["unread"])
	require.Nil(t, newest["readTime"])
	require.NotEmpty(t, newest["createTime"])

	// Another person's are passed over, and stay unread.
	foreign := items(b.list(otherToken, ""))[0]["id"]
	marked := b.rest.REST("POST", notificationsPath+":markRead", token, map[string]any{"notificationIds": []any{newest["id"], foreign, id.New().String()}})
	require.Equal(t, 200, marked.Status, marked.Text)
	require.EqualValues(t, 1, marked.Body["markedCount"])
	require.EqualValues(t, 2, b.unread(token))
	require.EqualValues(t, 1, b.unread(otherToken))
	again := b.rest.REST("POST", notificationsPath+":markRead", token, map[string]any{"notificationIds": []any{newest["id"]}})
	require.EqualValues(t, 0, again.Body["markedCount"], "what is read stays read as it was")

	unread := items(b.list(token, "?filter="+url.QueryEscape("unread = true")))
	require.Len(t, unread, 2)
	read := items(b.list(token, "?filter="+url.QueryEscape("unread = false")))
	require.Len(t, read, 1)
	require.NotEmpty(t, read[0]["readTime"])
	require.Len(t, items(b.list(token, "?filter="+url.QueryEscape(`kind = "task_commented"`))), 1)
	require.Len(t, items(b.list(token, "?filter="+url.QueryEscape(fmt.Sprintf(`createTime >= %q`, newest["createTime"])))), 1)

	everything := b.rest.REST("POST", notificationsPath+":markRead", token, map[string]any{"all": true})
	require.EqualValues(t, 2, everything.Body["markedCount"])
	require.EqualValues(t, 0, b.unread(token))
	require.EqualValues(t, 1, b.unread(otherToken))

	// One who has left keeps what was there.
	b.rest.Roles.Remove(organizationID, ben)
	require.Len(t, items(b.list(token, "")), 3)
}

func TestPagesOfNotifications(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	organizationID := id.New()
	token, ben := b.person(organizationID, "ben")
	otherToken, _ := b.person(organizationID, "eve")
	for range 7 {
		require.NoError(t, b.apply(b.event(organizationID, id.New(), &workflowv1.TaskCreated{Task: newTask(organizationID, ben)})))
	}
	var seen []any
	pageToken := ""
	for range 4 {
		answer := b.list(token, "?pageSize=2&pageToken="+pageToken)
		for _, item := range items(answer) {
			seen = append(seen, item["id"])
		}
		pageToken, _ = answer.Body["nextPageToken"].(string)
		// What comes meanwhile is newer than the pages still to come.
		require.NoError(t, b.apply(b.event(organizationID, id.New(), &workflowv1.TaskCreated{Task: newTask(organizationID, ben)})))
		if pageToken != "" {
			require.Equal(t, 400, b.rest.REST("GET", notificationsPath+"?pageToken="+pageToken, otherToken, nil).Status)
			require.Equal(t, 400, b.rest.REST("GET", notificationsPath+"?filter=unread%3Dtrue&pageToken="+pageToken, token, nil).Status)
		}
	}
	require.Empty(t, pageToken)
	all := items(b.list(token, ""))
	require.Len(t, all, 11)
	var oldest []map[string]any
	for range 6 {
		answer := b.list(token, "?pageSize=2&orderBy=createTime&pageToken="+pageToken)
		oldest = append(oldest, items(answer)...)
		pageToken, _ = answer.Body["nextPageToken"].(string)
	}
	require.Empty(t, pageToken)
	slices.Reverse(oldest)
	require.Equal(t, all, oldest)
	require.Equal(t, all, items(b.list(token, "?orderBy=createTime%20desc")))
	require.Len(t, seen, 7)
	for i, item := range all[4:] {
		require.Equal(t, item["id"], seen[i])
	}
}

func TestPreferences(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token, userID := b.rest.SignIn(id.New(), "member")
	otherToken, _ := b.rest.SignIn(id.New(), "member")
	kinds := []any{"task_assigned", "task_assigned", "task_commented", "task_commented", "task_status_changed", "task_status_changed"}
	enabled := func(answer rpctest.Answer) (all []bool) {
		t.Helper()
		require.Equal(t, 200, answer.Status, answer.Text)
		rows := answer.Body["preferences"].([]any)
		require.Len(t, rows, len(kinds))
		for i, row := range rows {
			fields := row.(map[string]any)
			require.Equal(t, kinds[i], fields["kind"])
			require.Equal(t, []any{"in_app", "email"}[i%2], fields["channel"])
			on, _ := fields["enabled"].(bool)
			all = append(all, on)
		}
		return all
	}
	patch := func(rows ...map[string]any) rpctest.Answer {
		return b.rest.REST("PATCH", preferencesPath, token, map[string]any{"preferences": rows}, rpctest.IdempotencyKey(id.New().String()))
	}
	row := func(kind, channel string, on bool) map[string]any {
		return map[string]any{"kind": kind, "channel": channel, "enabled": on}
	}
	require.Equal(t, []bool{true, true, true, true, true, true}, enabled(b.rest.REST("GET", preferencesPath, token, nil)))
	require.Equal(t, []bool{true, false, true, true, true, true}, enabled(patch(row("task_assigned", "email", false))))
	require.Equal(t, []bool{true, false, false, true, true, true}, enabled(patch(row("task_commented", "email", true), row("task_commented", "in_app", false))))
	require.Equal(t, []bool{true, true, false, true, true, true}, enabled(patch(row("task_assigned", "email", true))))
	require.Equal(t, []bool{true, true, false, true, true, true}, enabled(b.rest.REST("GET", preferencesPath, token, nil)))
	require.Equal(t, []bool{true, true, false, true, true, true}, enabled(b.rest.REST("PATCH", preferencesPath, token, `{}`)), "no rows change nothing")
	require.Equal(t, []bool{true, true, true, true, true, true}, enabled(b.rest.REST("GET", preferencesPath, otherToken, nil)))
	require.Equal(t, 3, b.count(`select count(*) from outbox where type = 'notification.preferences.updated' and subject = $1`, "user/"+userID.String()))

	for field, bad := range map[string]map[string]any{
		"preferences[1].kind": row("invitation", "email", false), "preferences[1].channel": row("task_assigned", "sms", false),
	} {
		answer := patch(row("task_assigned", "email", false), bad)
		require.Equal(t, 400, answer.Status)
		require.Equal(t, []string{field}, answer.Fields())
	}
	twice := patch(row("task_assigned", "email", false), row("task_commented", "email", false), row("task_assigned", "email", true))
	require.Equal(t, 400, twice.Status, twice.Text)
	require.Equal(t, []string{"preferences[2]"}, twice.Fields(), "which of the two is meant nobody can say")
	unsaid := patch(row("task_assigned", "in_app", true), map[string]any{"kind": "task_assigned", "channel": "email"})
	require.Equal(t, 400, unsaid.Status, unsaid.Text)
	require.Equal(t, []string{"preferences[1].enabled"}, unsaid.Fields(), "what is absent does not switch off")
	require.Equal(t, "KIND_UNKNOWN", patch(row("gossip", "email", false)).Reason())
	require.Equal(t, "CHANNEL_UNKNOWN", patch(row("task_assigned", "sms", false)).Reason())
	require.Equal(t, []bool{true, true, false, true, true, true}, enabled(b.rest.REST("GET", preferencesPath, token, nil)), "all or nothing")
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token, _ := b.rest.SignIn(id.New(), "member")
	for name, test := range map[string]struct {
		method, path string
		body         any
	}{
		"neither ids nor all": {"POST", notificationsPath + ":markRead", map[string]any{}},
		"ids and all":         {"POST", notificationsPath + ":markRead", map[string]any{"all": true, "notificationIds": []any{id.New().String()}}},
		"not an id":           {"POST", notificationsPath + ":markRead", map[string]any{"notificationIds": []any{"1"}}},
		"unknown filter":      {"GET", notificationsPath + "?filter=title%3D1", nil},
		"unknown kind":        {"GET", notificationsPath + "?filter=kind%3D%22gossip%22", nil},
		"unknown order":       {"GET", notificationsPath + "?orderBy=kind", nil},
		"bad token":           {"GET", notificationsPath + "?pageToken=AAAA", nil},
	} {
		answer := b.rest.REST(test.method, test.path, token, test.body)
		require.Equal(t, 400, answer.Status, "%s: %s", name, answer.Text)
		require.Equal(t, 401, b.rest.REST(test.method, test.path, "", test.body).Status, name)
	}
}

func TestMarkingTwiceWithOneKeyIsOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	organizationID := id.New()
	token, ben := b.person(organizationID, "ben")
	require.NoError(t, b.apply(b.event(organizationID, id.New(), &workflowv1.TaskCreated{Task: newTask(organizationID, ben)})))
	mark := func() rpctest.Answer {
		return b.rest.REST("POST", notificationsPath+":markRead", token, map[string]any{"all": true}, rpctest.IdempotencyKey("once"))
	}
	first := mark()
	require.EqualValues(t, 1, first.Body["markedCount"])
	require.NoError(t, b.apply(b.event(organizationID, id.New(), &workflowv1.TaskCreated{Task: newTask(organizationID, ben)})))
	second := mark()
	require.Equal(t, first.Body, second.Body)
	require.Equal(t, "true", second.Header.Get("Idempotency-Replayed"))
	require.EqualValues(t, 1, b.unread(token))
}

func TestConnectAnswersTheSame(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	organizationID := id.New()
	token, ben := b.person(organizationID, "ben")
	require.NoError(t, b.apply(b.event(organizationID, id.New(), &workflowv1.TaskCreated{Task: newTask(organizationID, ben)})))
	client := notificationv1connect.NewNotificationServiceClient(b.rest.As(token))
	listed, err := client.ListNotifications(t.Context(), &notificationv1.ListNotificationsRequest{Filter: "unread = true"})
	require.NoError(t, err)
	require.Len(t, listed.GetNotifications(), 1)
	count, err := client.GetUnreadCount(t.Context(), &notificationv1.GetUnreadCountRequest{})
	require.NoError(t, err)
	require.EqualValues(t, 1, count.GetUnreadCount())
}

package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/test/client"
)

func testNotification(t *testing.T, s *suite) {
	at := s.place(t)
	project := s.project(t, at.organization, at.owner, "NOT")
	join := func(t *testing.T, name string) *client.Person {
		who := s.signUp(t, name)
		s.join(t, at.organization, at.owner, who, "member")
		return who
	}
	t.Run("TellsTheOthers", func(t *testing.T) {
		t.Parallel()
		testTellsOthers(t, s, at, project, join(t, "Ben"), join(t, "Cleo"))
	})
	t.Run("Preferences", func(t *testing.T) {
		t.Parallel()
		testPreferences(t, s, at, project, join(t, "Dan"))
	})
}

// awaitNotifications waits until somebody's notifications are exactly these, the newest first.
func (s *suite) awaitNotifications(t *testing.T, who *client.Person, filter string, wanted ...string) []map[string]any {
	t.Helper()
	var list []map[string]any
	s.await(t, func() error {
		list = s.get(t, who, "/api/v1/me/notifications?filter="+url.QueryEscape(filter)).List("notifications")
		if kinds := textsOf(list, "kind"); !slices.Equal(kinds, wanted) {
			return fmt.Errorf("%s has %q, not %q", who.Name, kinds, wanted)
		}
		return nil
	})
	return list
}

func testTellsOthers(t *testing.T, s *suite, at place, project string, ben, cleo *client.Person) {
	// Created with an assignee, which tells like assigning; then everybody does something.
	made := s.must(t, at.owner, http.MethodPost, project+"/tasks", map[string]any{"title": "Together", "assigneeId": ben.ID})
	path := at.organization + "/tasks/" + made.Text("id")
	s.must(t, ben, http.MethodPost, path+":transition", map[string]any{"status": "in_progress"})
	s.must(t, cleo, http.MethodPost, path+"/comments", map[string]any{"body": "May I help?"})
	s.must(t, at.owner, http.MethodPost, path+"/comments", map[string]any{"body": "Yes."})
	s.must(t, cleo, http.MethodPost, path+":assign", map[string]any{"assigneeId": cleo.ID})
	s.must(t, cleo, http.MethodPost, path+":transition", map[string]any{"status": "in_review"})
	// Never one's own doing: Cleo took the task herself and isn't told; Ben took part by being assigned only until then.
	told := s.awaitNotifications(t, at.owner, "", "task_status_changed", "task_assigned", "task_commented", "task_status_changed")
	require.Contains(t, told[1]["title"], " has a new assignee: Together")
	require.Equal(t, cleo.ID, told[0]["actorId"])
	require.Equal(t, made.Text("key"), told[0]["taskKey"])
	require.Equal(t, made.Text("id"), told[0]["taskId"])
	require.Equal(t, true, told[0]["unread"])
	s.awaitNotifications(t, cleo, "", "task_commented")
	list := s.awaitNotifications(t, ben, "", "task_assigned", "task_commented", "task_commented", "task_assigned")
	require.Contains(t, list[0]["title"], " is no longer assigned to you: Together")
	require.Contains(t, list[3]["title"], " was assigned to you: Together")
	for _, sentence := range []string{"assigned " + made.Text("key") + " to you", "took " + made.Text("key"), "comment"} {
		_, _, err := s.AwaitMail(t.Context(), ben.Email, regexp.MustCompile(sentence))
		require.NoError(t, err)
	}
	_, _, err := s.AwaitMail(t.Context(), at.owner.Email, regexp.MustCompile("took "+made.Text("key")))
	require.NoError(t, err)
	s.checkReading(t, ben)
}

// checkReading reads some, then all.
func (s *suite) checkReading(t *testing.T, who *client.Person) {
	count := func() any { return s.get(t, who, "/api/v1/me/notifications:unreadCount").Value("unreadCount") }
	list := s.get(t, who, "/api/v1/me/notifications").List("notifications")
	require.EqualValues(t, len(list), count())
	marked := s.must(t, who, http.MethodPost, "/api/v1/me/notifications:markRead", map[string]any{"notificationIds": []any{list[0]["id"]}})
	require.EqualValues(t, 1, marked.Value("markedCount"))
	marked = s.must(t, who, http.MethodPost, "/api/v1/me/notifications:markRead", map[string]any{"notificationIds": []any{list[0]["id"]}})
	require.EqualValues(t, 0, marked.Value("markedCount"), "it was read before")
	require.EqualValues(t, len(list)-1, count())
	require.Len(t, s.get(t, who, "/api/v1/me/notifications?filter="+url.QueryEscape("unread = true")).List("notifications"), len(list)-1)
	read := s.get(t, who, "/api/v1/me/notifications?filter="+url.QueryEscape("unread = false")).List("notifications")
	require.Equal(t, []any{list[0]["id"]}, []any{read[0]["id"]})
	require.NotEmpty(t, read[0]["readTime"])
	s.refused(t, http.StatusBadRequest, "INVALID_ARGUMENT", who, http.MethodPost, "/api/v1/me/notifications:markRead", map[string]any{"notificationIds": []any{list[0]["id"]}, "all": true})
	marked = s.must(t, who, http.MethodPost, "/api/v1/me/notifications:markRead", map[string]any{"all": true})
	require.EqualValues(t, len(list)-1, marked.Value("markedCount"))
	require.EqualValues(t, 0, count())
}

func testPreferences(t *testing.T, s *suite, at place, project string, who *client.Person) {
	const path = "/api/v1/me/notification-preferences"
	rows := s.get(t, who, path).List("preferences")
	require.Len(t, rows, 6, "each kind on each channel")
	for _, row := range rows {
		require.Equal(t, true, row["enabled"], row)
	}
	changed := s.must(t, who, http.MethodPatch, path, map[string]any{"preferences": []map[string]any{
		{"kind": "task_assigned", "channel": "in_app", "enabled": false}, {"kind": "task_commented", "channel": "email", "enabled": false},
	}})
	require.Len(t, changed.List("preferences"), 6)
	disabled := 0
	for _, row := range s.get(t, who, path).List("preferences") {
		if row["enabled"] == false {
			disabled++
		}
	}
	require.Equal(t, 2, disabled, "the other rows stay")
	made := s.must(t, at.owner, http.MethodPost, project+"/tasks", map[string]any{"title": "Quiet please", "assigneeId": who.ID})
	s.must(t, at.owner, http.MethodPost, at.organization+"/tasks/"+made.Text("id")+"/comments", map[string]any{"body": "Hello"})
	// The comment comes after the assignment, so once it is there the assignment has been left out.
	s.awaitNotifications(t, who, "", "task_commented")
	_, _, err := s.AwaitMail(t.Context(), who.Email, regexp.MustCompile(`assigned`))
	require.NoError(t, err)
	mails, err := s.Mails(t.Context(), who.Email)
	require.NoError(t, err)
	for _, mail := range mails {
		require.NotContains(t, mail.Subject, "comment", "comments are not mailed")
	}
	for reason, row := range map[string]map[string]any{
		"KIND_UNKNOWN": {"kind": "weather", "channel": "email", "enabled": true}, "CHANNEL_UNKNOWN": {"kind": "task_assigned", "channel": "pigeon", "enabled": true},
	} {
		s.refused(t, http.StatusBadRequest, reason, who, http.MethodPatch, path, map[string]any{"preferences": []any{row}})
	}
}

package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/test/client"
)

func testAudit(t *testing.T, s *suite) {
	at := s.place(t)
	ben := s.signUp(t, "Ben")
	s.join(t, at.organization, at.owner, ben, "member")
	project := s.project(t, at.organization, at.owner, "AUD")
	task, made := s.task(t, project, at.owner, "Audited")
	moved := s.must(t, ben, http.MethodPost, task+":transition", map[string]any{"status": "in_progress"})
	comment := s.must(t, ben, http.MethodPost, task+"/comments", map[string]any{"body": "Seen"})
	list := func(filter string) []map[string]any {
		return s.get(t, at.owner, at.organization+"/audit-events?pageSize=200&filter="+url.QueryEscape(filter)).List("auditEvents")
	}
	t.Run("Filters", func(t *testing.T) {
		s.await(t, func() error {
			return containsAll(textsOf(list(fmt.Sprintf("correlationId = %q", comment.Header.Get("X-Correlation-Id"))), "action"), "workflow.task.commented")
		})
		require.Equal(t, []string{"workflow.task.status_changed", "workflow.task.created"}, textsOf(list(fmt.Sprintf("resourceId = %q", idOf(task))), "action"))
		move := fmt.Sprintf("correlationId = %q AND action = \"workflow.task.status_changed\"", moved.Header.Get("X-Correlation-Id"))
		for filter, wanted := range map[string]int{
			fmt.Sprintf("resourceType = \"task\" AND resourceId = %q AND actorId = %q", idOf(task), at.owner.ID): 1,
			fmt.Sprintf("action = \"workflow.task.status_changed\" AND actorId = %q", ben.ID):                    1,
			move: 1,
			fmt.Sprintf("createTime < %q", made.Text("createTime")) + ` AND action = "workflow.task.created"`:            0,
			fmt.Sprintf("createTime > \"2000-01-01T00:00:00Z\" AND action = %q", "workflow.project.created"):             1,
			fmt.Sprintf("actorId = %q AND action = %q", at.owner.ID, "organization.organization.created"):                1,
			fmt.Sprintf("actorId = %q AND action = %q", "00000000-0000-7000-8000-000000000000", "workflow.task.created"): 0,
		} {
			require.Len(t, list(filter), wanted, filter)
		}
		record := list(move)[0]
		one := s.get(t, at.owner, at.organization+"/audit-events/"+record["id"].(string))
		require.Equal(t, record, one.Body)
		require.Equal(t, false, record["erased"])
		require.Regexp(t, "^[0-9a-f]{64}$", record["bodyHash"])
		require.NotContains(t, fmt.Sprint(list("")), "Seen", "what is sensitive is not recorded")
	})
	t.Run("FailedLogins", func(t *testing.T) {
		s.refused(t, http.StatusUnauthorized, "CREDENTIALS_INVALID", nil, http.MethodPost, "/api/v1/auth/login", map[string]any{"email": ben.Email, "password": "not the password"})
		s.await(t, func() error {
			return containsAll(textsOf(list(`action = "identity.login.failed"`), "resourceId"), ben.ID)
		})
	})
	t.Run("RefusedAccessOnceAMinute", func(t *testing.T) {
		for range 3 {
			s.refused(t, http.StatusForbidden, "PERMISSION_DENIED", ben, http.MethodPatch, project, map[string]any{"displayName": "Mine"})
		}
		other := s.refused(t, http.StatusForbidden, "PERMISSION_DENIED", ben, http.MethodPost, project+":archive", map[string]any{})
		refusals := fmt.Sprintf("action = \"platform.access.refused\" AND actorId = %q", ben.ID)
		// Records come in order: with the second permission's there, the first's are complete.
		s.await(t, func() error {
			return containsAll(textsOf(list(refusals), "correlationId"), other.Header.Get("X-Correlation-Id"))
		})
		records := list(refusals)
		permissions := make([]string, 0, len(records))
		for _, record := range records {
			payload, _ := record["payload"].(map[string]any)
			permission, _ := payload["permission"].(string)
			permissions = append(permissions, permission)
		}
		slices.Sort(permissions)
		if s.oneWorkflow() {
			require.Equal(t, []string{"workflow.project.archive", "workflow.project.update"}, permissions)
		}
	})
}

// oneWorkflow reports whether one process serves workflow: what is counted per process is counted twice by two.
func (s *suite) oneWorkflow() bool { return !slices.Contains(s.running.Parts(), "workflow-2") }

// testSecrets plants what nobody may read again and looks for it in every log, topic and record.
func testSecrets(t *testing.T, s *suite) {
	const planted = "canary-never-to-be-seen"
	at := s.place(t)
	who := client.NewPerson("Secretive")
	who.Password = planted + "-password"
	require.NoError(t, s.Register(t.Context(), who))
	_, code, err := s.AwaitMail(t.Context(), who.Email, client.CodePattern)
	require.NoError(t, err)
	s.must(t, at.owner, http.MethodPost, at.organization+"/invitations", map[string]any{"email": who.Email, "roleId": "admin"})
	invitation := s.awaitToken(t, who, 1)
	s.must(t, who, http.MethodPost, "/api/v1/invitations:accept", map[string]any{"token": invitation})
	project := s.project(t, at.organization, at.owner, "SEC")
	made := s.must(t, who, http.MethodPost, project+"/tasks", map[string]any{"title": "Quiet", "description": planted + "-description", "assigneeId": at.owner.ID})
	task := at.organization + "/tasks/" + made.Text("id")
	s.must(t, who, http.MethodPost, task+"/comments", map[string]any{"body": planted + "-body"}, client.WithHeader("Idempotency-Key", planted+"-key"))
	s.do(t, who, http.MethodPost, project+"/tasks", map[string]any{"title": 7, "description": planted + "-refused"})
	s.do(t, nil, http.MethodPost, "/api/v1/auth/login", map[string]any{"email": who.Email, "password": planted + "-wrong"})
	rotated := s.refresh(t, who.Refresh)
	s.must(t, nil, http.MethodPost, "/api/v1/auth/validate", map[string]any{"accessToken": who.Token})
	s.do(t, who, http.MethodGet, project+"/tasks?filter="+url.QueryEscape(`title:"`+planted+`-filter"`), nil)
	last := s.must(t, who, http.MethodPost, task+":transition", map[string]any{"status": "in_progress"})
	s.await(t, func() error {
		records := s.get(t, at.owner, at.organization+"/audit-events?filter="+url.QueryEscape(fmt.Sprintf("correlationId = %q", last.Header.Get("X-Correlation-Id"))))
		return containsAll(textsOf(records.List("auditEvents"), "action"), "workflow.task.status_changed")
	})
	secrets := []string{planted, who.Token, who.Refresh, rotated.Text("accessToken"), rotated.Text("refreshToken"), invitation}
	records := s.get(t, at.owner, at.organization+"/audit-events?pageSize=200").Raw
	tail := s.tailEvents(t)
	s.await(t, func() error {
		if len(tail.of(last.Header.Get("X-Correlation-Id"))) == 0 {
			return fmt.Errorf("the tail has not come so far")
		}
		return nil
	})
	places := map[string]string{"the audit trail": string(records), "the tail": tail.text(), "the metrics": s.adminPage(t, "/metrics")}
	for _, path := range s.running.Logs() {
		places[path] = readLog(t, path)
	}
	for name, content := range places {
		require.NotEmpty(t, content, name)
		for _, secret := range secrets {
			require.NotContains(t, content, secret, name)
		}
		require.NotContains(t, content, `"`+code+`"`, name)
	}
}

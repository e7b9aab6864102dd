package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/clock"
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
	// Where two processes serve workflow, each of them refuses some.
	t.Run("RefusedAccessOnceAMinute", func(t *testing.T) {
		const refused = 6
		for range refused {
			s.refused(t, http.StatusForbidden, "PERMISSION_DENIED", ben, http.MethodPatch, project, map[string]any{"displayName": "Mine"})
		}
		other := s.refused(t, http.StatusForbidden, "PERMISSION_DENIED", ben, http.MethodPost, project+":archive", map[string]any{})
		refusals := fmt.Sprintf("action = \"platform.access.refused\" AND actorId = %q", ben.ID)
		s.await(t, func() error {
			records := list(refusals)
			if len(records) < 2 {
				return fmt.Errorf("%d records of refusals", len(records))
			}
			return containsAll(textsOf(records, "correlationId"), other.Header.Get("X-Correlation-Id"))
		})
		// Long enough for every process to have written what it refused.
		for range 10 {
			require.NoError(t, clock.Sleep(t.Context(), 200*time.Millisecond))
			require.Len(t, list(refusals), 2)
		}
		counts := map[string]float64{}
		for _, record := range list(refusals) {
			payload, _ := record["payload"].(map[string]any)
			permission, _ := payload["permission"].(string)
			counts[permission], _ = payload["count"].(float64)
		}
		require.InDelta(t, 1, counts["workflow.project.archive"], 0)
		require.GreaterOrEqual(t, counts["workflow.project.update"], 1.0)
		require.LessOrEqual(t, counts["workflow.project.update"], float64(refused), "the rest is told after the minute")
	})
}

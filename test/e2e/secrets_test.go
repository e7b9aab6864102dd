package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/test/client"
)

// logDelay is more than lines wait for others before they are written.
const logDelay = time.Second

// testSecrets plants what nobody may read again and looks for it in every log, topic and record.
func testSecrets(t *testing.T, s *suite) {
	const planted = "canary-never-to-be-seen"
	at := s.place(t)
	who, other := client.NewPerson("Secretive"), client.NewPerson("Silent")
	who.Password = planted + "-password"
	codes := []string{s.registerWithCode(t, who), s.registerWithCode(t, other)}
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
	tail, done := s.tailEvents(t), time.Now()
	s.await(t, func() error {
		if time.Since(done) < logDelay {
			return fmt.Errorf("the last lines may not be in the logs yet")
		}
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
		// One of them may be there by chance, as a number of nanoseconds; what writes codes writes both.
		require.False(t, holdsCode(content, codes[0]) && holdsCode(content, codes[1]), "%s: the codes %q", name, codes)
	}
}

// registerWithCode gives a person an account and returns the code that proved the address.
func (s *suite) registerWithCode(t *testing.T, who *client.Person) string {
	t.Helper()
	require.NoError(t, s.Register(t.Context(), who))
	_, code, err := s.AwaitMail(t.Context(), who.Email, client.CodePattern)
	require.NoError(t, err)
	return code
}

// holdsCode says whether a text has the code as a word of its own, be that after an escaped line break of JSON or at the
// end of a sentence. The digits may also be part of a time, of an identifier, of a longer number: that is no code.
func holdsCode(text, code string) bool {
	const before, after = `(?:^|[^0-9A-Za-z.-]|\\[nrt])`, `(?:$|[^0-9A-Za-z.-]|[.-](?:$|[^0-9A-Za-z]))`
	return regexp.MustCompile(before + regexp.QuoteMeta(code) + after).MatchString(text)
}

func TestHoldsCode(t *testing.T) {
	t.Parallel()
	for text, holds := range map[string]bool{
		`578729`: true, `"578729"`: true, `{"msg":"Your code: 578729"}`: true, `{"msg":"Your code:\n578729\n"}`: true,
		`Your code is 578729.`: true, `code=578729 sent`: true, `{"code":578729}`: true, `578729 - your code`: true,
		`2030-01-01T10:00:00.578729Z`: false, `0198c0de-578729`: false, `578729-0198c0de`: false, `a578729`: false, `578729a`: false,
		`1578729`: false, `5787290`: false, `0.578729`: false, `578729.5`: false, `578728`: false,
	} {
		require.Equal(t, holds, holdsCode(text, "578729"), text)
	}
}

package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/test/client"
)

// employed is a service account at work: with a key, and with a role by an assignment.
type employed struct {
	client.Person
	path, assignment string
	// knowing carries the access revision of the latest change, so that nobody answers from before it.
	knowing client.Option
}

// employ makes a service account with a key, and gives it a role once organization has heard of it.
func (s *suite) employ(t *testing.T, organization string, maker *client.Person, role string, scopes ...string) *employed {
	t.Helper()
	made := s.must(t, maker, http.MethodPost, organization+"/service-accounts", map[string]any{"displayName": "Robot"})
	robot := &employed{path: organization + "/service-accounts/" + made.Text("id")}
	robot.Token = s.must(t, maker, http.MethodPost, robot.path+"/keys", map[string]any{"displayName": "Key", "scopes": scopes}).Text("secret")
	s.giveRole(t, organization, maker, robot, role)
	return robot
}

func (s *suite) giveRole(t *testing.T, organization string, giver *client.Person, robot *employed, role string) {
	t.Helper()
	s.await(t, func() error {
		given := s.do(t, giver, http.MethodPost, organization+"/assignments", map[string]any{
			"subject": map[string]any{"type": "SERVICE_ACCOUNT", "id": idOf(robot.path)}, "roleId": role,
		})
		if given.Status != http.StatusOK {
			return fmt.Errorf("answered %d: %s", given.Status, given.Raw)
		}
		robot.assignment = organization + "/assignments/" + given.Text("id")
		robot.knowing = client.WithHeader("X-Access-Revision", given.Text("accessRevision"))
		return nil
	})
}

// awaitReason waits until a request is refused for a reason; the empty one waits until it is answered.
func (s *suite) awaitReason(t *testing.T, who *client.Person, method, path string, body any, reason string) {
	t.Helper()
	s.await(t, func() error {
		answer := s.do(t, who, method, path, body)
		if answer.Reason() != reason || (reason == "") != (answer.Status == http.StatusOK) {
			return fmt.Errorf("answered %d, not %q: %s", answer.Status, reason, answer.Raw)
		}
		return nil
	})
}

// testServiceAccount lets a key do what its service account's role allows, and nothing a moment after anything in the
// chain is taken away: the role, the policy's consent, the maker's own right, the organization.
func testServiceAccount(t *testing.T, s *suite) {
	ada, ben := s.signUp(t, "Ada"), s.signUp(t, "Ben")
	organization := s.organization(t, ada, "Robots")
	s.join(t, organization, ada, ben, "admin")
	task, _ := s.task(t, s.project(t, organization, ada, "ROB"), ada, "For a robot")
	comment := map[string]any{"body": "By a robot"}
	robot := s.employ(t, organization, ada, "member", "workflow.*")

	require.Equal(t, http.StatusOK, s.do(t, &robot.Person, http.MethodGet, task, nil, robot.knowing).Status)
	s.must(t, &robot.Person, http.MethodPost, task+"/comments", comment)
	s.refused(t, http.StatusForbidden, "SCOPE_MISSING", &robot.Person, http.MethodGet, organization+"/members", nil)
	s.refused(t, http.StatusForbidden, "PERMISSION_DENIED", &robot.Person, http.MethodPost, organization+"/projects", map[string]any{"key": "OWN", "displayName": "Own"})

	s.must(t, ada, http.MethodPatch, organization+"/policy", map[string]any{"apiKeys": "FORBIDDEN"})
	// Of two processes one may hear of it a moment after the other.
	s.await(t, func() error {
		if refused := string(s.do(t, &robot.Person, http.MethodGet, task, nil).Raw); !strings.Contains(refused, `"policy":"apiKeys"`) {
			return fmt.Errorf("the answer is %s", refused)
		}
		return nil
	})
	s.must(t, ada, http.MethodPatch, organization+"/policy", map[string]any{"apiKeys": "ALLOWED"})
	s.awaitReason(t, &robot.Person, http.MethodGet, task, nil, "")

	removed := s.must(t, ada, http.MethodDelete, robot.assignment, nil)
	knowing := client.WithHeader("X-Access-Revision", removed.Header.Get("X-Access-Revision"))
	require.NotEmpty(t, removed.Header.Get("X-Access-Revision"))
	refused := s.do(t, &robot.Person, http.MethodGet, task, nil, knowing)
	require.Equal(t, "PERMISSION_DENIED", refused.Reason(), "at once, in whichever process: %s", refused.Raw)

	s.checkMaker(t, organization, ada, ben, task)

	s.giveRole(t, organization, ada, robot, "member")
	require.Equal(t, http.StatusOK, s.do(t, &robot.Person, http.MethodGet, task, nil, robot.knowing).Status)
	s.must(t, ada, http.MethodDelete, robot.path, nil)
	s.await(t, func() error { return s.isRefused(t, &robot.Person, task) })
	s.awaitReason(t, ada, http.MethodGet, robot.assignment, nil, "NOT_FOUND")
}

// checkMaker sees that a key is never good for more than whoever made it.
func (s *suite) checkMaker(t *testing.T, organization string, owner, admin *client.Person, task string) {
	t.Helper()
	robot := s.employ(t, organization, admin, "admin", "workflow.*")
	s.refused(t, http.StatusForbidden, "GRANT_EXCEEDS_OWN", admin, http.MethodPost, robot.path+"/keys", map[string]any{"displayName": "More", "scopes": []string{"organization.*"}})
	comments := task + "/comments"
	s.must(t, &robot.Person, http.MethodPost, comments, map[string]any{"body": "Allowed"})
	s.must(t, owner, http.MethodPatch, organization+"/members/"+admin.ID, map[string]any{"roleIds": []string{"viewer"}})
	s.awaitReason(t, &robot.Person, http.MethodPost, comments, map[string]any{"body": "Beyond"}, "KEY_EXCEEDS_MAKER")
	s.get(t, &robot.Person, task)
}

// testServiceAccountOfNobody deletes the organization under a key: it reads until there is nothing left to read.
func testServiceAccountOfNobody(t *testing.T, s *suite) {
	ada := s.signUp(t, "Ada")
	organization := s.organization(t, ada, "Nobody")
	task, _ := s.task(t, s.project(t, organization, ada, "NOB"), ada, "For a robot")
	robot := s.employ(t, organization, ada, "member", "workflow.*")
	require.Equal(t, http.StatusOK, s.do(t, &robot.Person, http.MethodGet, task, nil, robot.knowing).Status)

	s.must(t, ada, http.MethodPost, organization+":delete", map[string]any{"confirmName": "Nobody"})
	s.awaitReason(t, &robot.Person, http.MethodPost, task+"/comments", map[string]any{"body": "Late"}, "DELETION_PENDING")
	require.NoError(t, client.AwaitFor(t.Context(), deletionPatience+30*time.Second, func() error {
		if answer := s.do(t, &robot.Person, http.MethodGet, task, nil); answer.Status != http.StatusUnauthorized && answer.Status != http.StatusNotFound {
			return fmt.Errorf("answered %d: %s", answer.Status, answer.Raw)
		}
		return nil
	}))
}

package e2e_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/test/client"
)

// testAccess is a guest's life: they see what is assigned to them or to their team, until somebody ends it.
func testAccess(t *testing.T, s *suite) {
	owner, guest := s.signUp(t, "Host"), s.signUp(t, "Guest")
	organization := s.organization(t, owner, "Guests")
	s.join(t, organization, owner, guest, "guest")
	named, teams, hidden := s.project(t, organization, owner, "NAMED"), s.project(t, organization, owner, "TEAMS"), s.project(t, organization, owner, "HIDE")
	seen, _ := s.task(t, named, owner, "Seen")
	unseen, _ := s.task(t, hidden, owner, "Unseen")
	projects := func() (ids []any) {
		for _, project := range s.get(t, guest, organization+"/projects").List("projects") {
			ids = append(ids, project["id"])
		}
		return ids
	}

	require.Equal(t, "Guests", s.get(t, guest, organization).Text("displayName"))
	for _, path := range []string{organization + "/projects", organization + "/members", named, seen} {
		s.refused(t, http.StatusForbidden, "PERMISSION_DENIED", guest, http.MethodGet, path, nil)
	}
	answer := s.assign(t, owner, organization, map[string]any{
		"subject": map[string]any{"type": "USER", "id": guest.ID}, "roleId": "member", "scope": map[string]any{"type": "PROJECT", "id": idOf(named)},
	})
	// Whoever knows of a change is never answered from before it.
	knowing := client.WithHeader("X-Access-Revision", answer.Text("accessRevision"))
	require.Equal(t, http.StatusOK, s.do(t, guest, http.MethodGet, seen, nil, knowing).Status)
	require.Equal(t, []any{idOf(named)}, projects())
	s.task(t, named, guest, "By the guest")
	for _, path := range []string{hidden, unseen, teams} {
		s.refused(t, http.StatusNotFound, "NOT_FOUND", guest, http.MethodGet, path, nil)
	}
	s.refused(t, http.StatusForbidden, "PERMISSION_DENIED", guest, http.MethodPost, organization+"/projects", map[string]any{"key": "MINE", "displayName": "Mine"})

	team := s.must(t, owner, http.MethodPost, organization+"/teams", map[string]any{"displayName": "Guests"}).Text("id")
	s.assign(t, owner, organization, map[string]any{
		"subject": map[string]any{"type": "TEAM", "id": team}, "roleId": "viewer", "scope": map[string]any{"type": "PROJECT", "id": idOf(teams)},
	})
	member := organization + "/teams/" + team + "/members"
	s.must(t, owner, http.MethodPost, member, map[string]any{"userId": guest.ID})
	s.await(t, func() error { return showing(2, projects()) })
	s.refused(t, http.StatusForbidden, "PERMISSION_DENIED", guest, http.MethodPost, teams+"/tasks", map[string]any{"title": "A viewer's"})
	s.must(t, owner, http.MethodDelete, member+"/"+guest.ID, nil)
	s.await(t, func() error { return showing(1, projects()) })

	s.must(t, owner, http.MethodPost, organization+"/members/"+guest.ID+":suspend", map[string]any{"reason": "A while"})
	require.NoError(t, client.AwaitFor(t.Context(), time.Second, func() error {
		if refused := s.do(t, guest, http.MethodGet, seen, nil); refused.Status != http.StatusForbidden || refused.Reason() != "MEMBER_SUSPENDED" {
			return fmt.Errorf("a suspended member is answered %d: %s", refused.Status, refused.Raw)
		}
		return nil
	}))
	s.must(t, owner, http.MethodPost, organization+"/members/"+guest.ID+":resume", map[string]any{})
	s.await(t, func() error { return showing(1, projects()) })

	gone := s.must(t, owner, http.MethodDelete, organization+"/members/"+guest.ID, nil)
	knowing = client.WithHeader("X-Access-Revision", gone.Header.Get("X-Access-Revision"))
	require.NotEmpty(t, gone.Header.Get("X-Access-Revision"))
	refused := s.do(t, guest, http.MethodGet, seen, nil, knowing)
	require.Equal(t, http.StatusNotFound, refused.Status, "at once, in whichever process: %s", refused.Raw)
}

func (s *suite) assign(t *testing.T, who *client.Person, organization string, given map[string]any) client.Answer {
	t.Helper()
	return s.must(t, who, http.MethodPost, organization+"/assignments", given)
}

func showing(count int, shown []any) error {
	if len(shown) != count {
		return fmt.Errorf("the guest sees %d projects, not %d", len(shown), count)
	}
	return nil
}

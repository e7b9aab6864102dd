package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/test/client"
)

var errStillAnswers = errors.New("it still answers")

// place is an organization of a test's own.
type place struct {
	owner        *client.Person
	organization string
}

func (s *suite) place(t *testing.T) place {
	owner := s.signUp(t, "Owner")
	return place{owner: owner, organization: s.organization(t, owner, "Place")}
}

func testMember(t *testing.T, s *suite) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"AddedActsAtOnce", testAdded}, {"RemovedIsRefused", testRemoved}, {"RemovedWhileAssigned", testRemovedWhileAssigned}, {"RolesChange", testRoles},
		{"LastOwnerStays", testLastOwner}, {"Invitations", testInvitations},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, s)
		})
	}
}

func testAdded(t *testing.T, s *suite) {
	at := s.place(t)
	project := s.project(t, at.organization, at.owner, "NEW")
	ben := s.signUp(t, "Ben")
	// Every service has just been told that Ben is nobody here, and remembers.
	for _, path := range []string{at.organization, project, at.organization + "/audit-events"} {
		s.refused(t, http.StatusNotFound, "NOT_FOUND", ben, http.MethodGet, path, nil)
	}
	s.join(t, at.organization, at.owner, ben, "admin")
	for _, path := range []string{at.organization, project, at.organization + "/audit-events"} {
		s.get(t, ben, path)
	}
	task := s.must(t, ben, http.MethodPost, project+"/tasks", map[string]any{"title": "First", "assigneeId": ben.ID})
	require.Equal(t, ben.ID, task.Text("assigneeId"))
	members := s.get(t, ben, at.organization+"/members").List("members")
	require.Equal(t, []string{at.owner.ID, ben.ID}, textsOf(members, "userId"))
	require.Equal(t, []any{"admin"}, members[1]["roleIds"])
}

func testRemoved(t *testing.T, s *suite) {
	at := s.place(t)
	project := s.project(t, at.organization, at.owner, "OLD")
	ben := s.signUp(t, "Ben")
	s.join(t, at.organization, at.owner, ben, "admin")
	paths := map[string]string{"organization": at.organization, "workflow": project, "audit": at.organization + "/audit-events"}
	for _, path := range paths {
		s.get(t, ben, path)
	}
	stream, err := s.OpenStream(t.Context(), ben, project+":watch", "")
	require.NoError(t, err)
	defer stream.Close()
	snapshot, err := stream.Next()
	require.NoError(t, err)
	require.Equal(t, "snapshot", snapshot.Event)
	s.must(t, at.owner, http.MethodDelete, at.organization+"/members/"+ben.ID, nil)
	ended := time.Now()
	s.refused(t, http.StatusNotFound, "NOT_FOUND", ben, http.MethodGet, at.organization, nil)
	s.awaitRefused(t, ben, paths, ended, http.StatusNotFound)
	awaitEnd(t, stream)
	// What happens later is not shown, and Ben can't be given work any more.
	s.refused(t, http.StatusBadRequest, "ASSIGNEE_NOT_MEMBER", at.owner, http.MethodPost, project+"/tasks", map[string]any{"title": "Late", "assigneeId": ben.ID})
	s.get(t, ben, "/api/v1/me")
}

// testRemovedWhileAssigned removes people at the moment in which others give them work, then takes one back.
func testRemovedWhileAssigned(t *testing.T, s *suite) {
	const people, each = 3, 5
	at := s.place(t)
	project := s.project(t, at.organization, at.owner, "RWA")
	var removed []*client.Person
	tasks := map[*client.Person][]string{}
	for range people {
		who := s.signUp(t, "Ben")
		s.join(t, at.organization, at.owner, who, "member")
		for range each {
			path, _ := s.task(t, project, at.owner, "Whose?")
			tasks[who] = append(tasks[who], path)
		}
		removed = append(removed, who)
	}
	var working sync.WaitGroup
	ask := func(method, path string, body any, statuses ...int) {
		working.Go(func() {
			answer, err := s.Do(t.Context(), at.owner, method, path, body)
			assert.NoError(t, err)
			assert.Contains(t, statuses, answer.Status, "%s %s: %s", method, path, answer.Raw)
		})
	}
	for _, who := range removed {
		for _, task := range tasks[who] {
			ask(http.MethodPost, task+":assign", map[string]any{"assigneeId": who.ID}, http.StatusOK, http.StatusBadRequest)
		}
		ask(http.MethodDelete, at.organization+"/members/"+who.ID, nil, http.StatusOK)
	}
	working.Wait()
	for _, who := range removed {
		path := project + "/tasks?filter=" + url.QueryEscape(`assigneeId = "`+who.ID+`"`)
		s.await(t, func() error {
			if left := s.get(t, at.owner, path).List("tasks"); len(left) > 0 {
				return fmt.Errorf("%d tasks are still assigned to who has left", len(left))
			}
			return nil
		})
	}
	ben := removed[0]
	s.rejoin(t, at, ben)
	task := s.must(t, at.owner, http.MethodPost, tasks[ben][0]+":assign", map[string]any{"assigneeId": ben.ID})
	require.Equal(t, ben.ID, task.Text("assigneeId"), "who is back has work at once")
}

// rejoin brings somebody back who was a member before: of several invitations that were mailed, the new one counts.
func (s *suite) rejoin(t *testing.T, at place, who *client.Person) {
	t.Helper()
	tokens := func() (found []string) {
		mails, err := s.Mails(t.Context(), who.Email)
		require.NoError(t, err)
		for _, mail := range mails {
			if match := client.TokenPattern.FindStringSubmatch(mail.Text); match != nil {
				found = append(found, match[1])
			}
		}
		return found
	}
	known := tokens()
	s.must(t, at.owner, http.MethodPost, at.organization+"/invitations", map[string]any{"email": who.Email, "roleId": "member"})
	s.await(t, func() error {
		for _, token := range tokens() {
			if !slices.Contains(known, token) {
				s.must(t, who, http.MethodPost, "/api/v1/invitations:accept", map[string]any{"token": token})
				return nil
			}
		}
		return errors.New("the invitation has not come")
	})
}

// awaitEnd waits for the server to end a stream, without having sent a change.
func awaitEnd(t *testing.T, stream *client.Stream) {
	t.Helper()
	select {
	case <-stream.Ended:
	case <-time.After(client.EffectTimeout):
		t.Fatal("the stream goes on")
	}
	for len(stream.Events) > 0 {
		require.NotEqual(t, "change", (<-stream.Events).Event)
	}
}

func testRoles(t *testing.T, s *suite) {
	at := s.place(t)
	project := s.project(t, at.organization, at.owner, "ROL")
	ben := s.signUp(t, "Ben")
	s.join(t, at.organization, at.owner, ben, "viewer")
	member := at.organization + "/members/" + ben.ID
	task := map[string]any{"title": "Work"}
	denied := s.refused(t, http.StatusForbidden, "PERMISSION_DENIED", ben, http.MethodPost, project+"/tasks", task)
	require.Contains(t, string(denied.Raw), "workflow.task.create", "the refusal names the permission")
	s.must(t, at.owner, http.MethodPatch, member, map[string]any{"roleIds": []string{"member"}})
	s.must(t, ben, http.MethodPost, project+"/tasks", task)
	checked := s.must(t, ben, http.MethodPost, at.organization+"/access:check", map[string]any{"permission": "workflow.task.create"})
	require.Equal(t, true, checked.Value("allowed"))
	require.Equal(t, "role:member", checked.Text("reason"))
	s.must(t, at.owner, http.MethodPatch, member, map[string]any{"roleIds": []string{"viewer"}})
	ended := time.Now()
	s.await(t, func() error {
		began := time.Now()
		answer := s.do(t, ben, http.MethodPost, project+"/tasks", task)
		if answer.Status == http.StatusOK {
			require.Less(t, began.Sub(ended), refusedWithin)
			return errStillAnswers
		}
		require.Equal(t, http.StatusForbidden, answer.Status, "%s", answer.Raw)
		return nil
	})
	s.refused(t, http.StatusBadRequest, "ROLE_UNKNOWN", at.owner, http.MethodPatch, member, map[string]any{"roleIds": []string{"emperor"}})
	s.must(t, at.owner, http.MethodPatch, member, map[string]any{"roleIds": []string{"admin"}})
	s.refused(t, http.StatusForbidden, "GRANT_EXCEEDS_OWN", ben, http.MethodPatch, member, map[string]any{"roleIds": []string{"owner"}})
}

func testLastOwner(t *testing.T, s *suite) {
	at := s.place(t)
	ben := s.signUp(t, "Ben")
	own := at.organization + "/members/" + at.owner.ID
	s.refused(t, http.StatusConflict, "LAST_OWNER", at.owner, http.MethodDelete, own, nil)
	s.refused(t, http.StatusConflict, "LAST_OWNER", at.owner, http.MethodPatch, own, map[string]any{"roleIds": []string{"member"}})
	s.join(t, at.organization, at.owner, ben, "owner")
	s.must(t, at.owner, http.MethodDelete, own, nil)
	s.refused(t, http.StatusNotFound, "NOT_FOUND", at.owner, http.MethodGet, at.organization, nil)
	s.refused(t, http.StatusConflict, "LAST_OWNER", ben, http.MethodDelete, at.organization+"/members/"+ben.ID, nil)
}

func testInvitations(t *testing.T, s *suite) {
	at := s.place(t)
	ben, eve := s.signUp(t, "Ben"), s.signUp(t, "Eve")
	invite := func() (id, token string) {
		before, err := s.Mails(t.Context(), ben.Email)
		require.NoError(t, err)
		made := s.must(t, at.owner, http.MethodPost, at.organization+"/invitations", map[string]any{"email": ben.Email, "roleId": "member"})
		return made.Text("id"), s.awaitToken(t, ben, len(before))
	}
	accept := func(token string) map[string]any { return map[string]any{"token": token} }
	first, token := invite()
	s.refused(t, http.StatusConflict, "INVITATION_EXISTS", at.owner, http.MethodPost, at.organization+"/invitations", map[string]any{"email": ben.Email, "roleId": "viewer"})
	s.refused(t, http.StatusForbidden, "INVITATION_OTHER_EMAIL", eve, http.MethodPost, "/api/v1/invitations:accept", accept(token))
	s.refused(t, http.StatusNotFound, "NOT_FOUND", ben, http.MethodPost, "/api/v1/invitations:accept", accept("nobodys-token"))
	before, err := s.Mails(t.Context(), ben.Email)
	require.NoError(t, err)
	s.must(t, at.owner, http.MethodPost, at.organization+"/invitations/"+first+":resend", map[string]any{})
	resent := s.awaitToken(t, ben, len(before))
	require.NotEqual(t, token, resent)
	s.must(t, at.owner, http.MethodPost, at.organization+"/invitations/"+first+":revoke", map[string]any{})
	s.refused(t, http.StatusConflict, "INVITATION_NOT_PENDING", ben, http.MethodPost, "/api/v1/invitations:accept", accept(resent))
	_, token = invite()
	s.must(t, ben, http.MethodPost, "/api/v1/invitations:reject", accept(token))
	s.refused(t, http.StatusConflict, "INVITATION_NOT_PENDING", ben, http.MethodPost, "/api/v1/invitations:accept", accept(token))
	_, token = invite()
	s.must(t, ben, http.MethodPost, "/api/v1/invitations:accept", accept(token))
	s.refused(t, http.StatusConflict, "INVITATION_NOT_PENDING", ben, http.MethodPost, "/api/v1/invitations:accept", accept(token))
	s.refused(t, http.StatusConflict, "MEMBER_EXISTS", at.owner, http.MethodPost, at.organization+"/invitations", map[string]any{"email": ben.Email, "roleId": "viewer"})
	states := textsOf(s.get(t, at.owner, at.organization+"/invitations").List("invitations"), "state")
	require.Equal(t, []string{"ACCEPTED", "REJECTED", "REVOKED"}, states)
	page := s.get(t, nil, "/invitations/accept?token="+token)
	require.Contains(t, string(page.Raw), token, "the mail's link leads to a page that shows the call")
	forged := s.get(t, nil, "/invitations/accept?token="+url.QueryEscape("<script>alert(1)</script>"))
	require.NotContains(t, string(forged.Raw), "alert(1)")
}

// awaitToken waits until somebody has more mails than before and returns the newest one's token.
func (s *suite) awaitToken(t *testing.T, who *client.Person, before int) string {
	t.Helper()
	var token string
	s.await(t, func() error {
		mails, err := s.Mails(t.Context(), who.Email)
		if err != nil || len(mails) <= before {
			return errors.Join(err, errors.New("no new mail has come"))
		}
		found := client.TokenPattern.FindStringSubmatch(mails[0].Text)
		if found == nil {
			return errors.New("the newest mail holds no token")
		}
		token = found[1]
		return nil
	})
	return token
}

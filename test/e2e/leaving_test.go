package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/test/client"
)

// remaining are where the id of somebody who is gone may be: what the audit keeps for good, and what says to each service
// that they are gone.
var remaining = regexp.MustCompile(`^(audit\.audit_(record|entry)\.(actor_id|person_id)|\w+\.(erasure|forgotten_organization)\.id|identity\.deletion\.id|identity\.deletion_step\.deletion_id)$`)

// testLeaving has somebody do in an organization whatever people do, and go, and looks into the databases of all services: no
// column with ids holds theirs and no text their address, whichever columns there are. What they wrote stays.
func testLeaving(t *testing.T, s *suite) {
	kept := s.tenant(t, "kept")
	ada := client.NewPerson("Ada Leaving")
	ada.Email = "ada.leaving@example.com"
	require.NoError(t, s.Register(t.Context(), ada))
	s.join(t, kept.path, kept.owner, ada, "admin")
	task := s.act(t, kept, ada)
	untouched := s.tenant(t, "untouched")
	s.settle(t, untouched)
	where, err := s.running.PersonIn(t.Context(), ada.ID, ada.Email)
	require.NoError(t, err)
	for _, column := range []string{
		"identity.account.email", "identity.session.account_id", "identity.machine_credential.account_id", "organization.member.user_id",
		"organization.profile.email", "organization.invitation.inviter_id", "organization.invitation.email", "organization.role_version.author_id",
		"workflow.task.reporter_id", "workflow.task.assignee_id", "workflow.task.commenter_ids", "workflow.comment.author_id",
		"notification.notification.actor_id", "audit.audit_record.actor_id", "audit.audit_body.person_id", "audit.membership_change.user_id",
	} {
		assert.NotZero(t, where[column], "%s: it would prove nothing", column)
	}
	theirs, err := s.running.PersonIn(t.Context(), untouched.owner.ID, untouched.owner.Email)
	require.NoError(t, err)

	s.refused(t, http.StatusConflict, "SOLE_OWNER", kept.owner, http.MethodDelete, "/api/v1/me", nil)
	s.cancelLeaving(t, ada)
	s.leave(t, ada)
	s.await(t, func() error { return s.gone(t, ada) })
	_, _, err = s.AwaitMail(t.Context(), ada.Email, regexp.MustCompile(`This is the last mail to you`))
	require.NoError(t, err)

	// What they wrote is there, by one and the same nobody.
	comments := s.get(t, kept.owner, kept.path+"/tasks/"+task+"/comments").List("comments")
	require.Len(t, comments, 2)
	require.Equal(t, "What Ada said", comments[0]["body"])
	require.NotEqual(t, ada.ID, comments[0]["authorId"])
	require.Equal(t, comments[0]["authorId"], comments[1]["authorId"])
	shown := s.get(t, kept.owner, kept.path+"/tasks/"+task)
	require.Equal(t, comments[0]["authorId"], shown.Text("reporterId"))
	require.Empty(t, shown.Text("assigneeId"))
	s.must(t, kept.owner, http.MethodPatch, kept.path+"/tasks/"+task, map[string]any{"title": "Goes on"})

	// Others have lost nothing.
	after, err := s.running.PersonIn(t.Context(), untouched.owner.ID, untouched.owner.Email)
	require.NoError(t, err)
	require.Equal(t, theirs, after)

	// The address is free: whoever has it registers with it again, and is somebody else.
	s.must(t, nil, http.MethodPost, "/api/v1/auth/register", map[string]any{"email": ada.Email, "password": ada.Password, "displayName": "Ada again"})
	s.await(t, func() error {
		mails, err := s.Mails(t.Context(), ada.Email)
		require.NoError(t, err)
		for _, mail := range mails {
			code := client.CodePattern.FindStringSubmatch(mail.Text)
			if len(code) == 2 && s.do(t, nil, http.MethodPost, "/api/v1/auth/email:verify", map[string]any{"email": ada.Email, "code": code[1]}).Status == http.StatusOK {
				return nil
			}
		}
		return errors.New("no code is good")
	})
	again := *ada
	require.NoError(t, s.Login(t.Context(), &again))
	require.NotEqual(t, ada.ID, s.get(t, &again, "/api/v1/me").Text("id"))
	require.Empty(t, s.get(t, &again, "/api/v1/organizations").List("organizations"))
}

// act is what somebody does in an organization; it returns a task that is theirs.
func (s *suite) act(t *testing.T, in tenant, who *client.Person) (taskID string) {
	t.Helper()
	project := s.project(t, in.path, who, "ADA")
	path, task := s.task(t, project, who, "Of Ada")
	s.must(t, in.owner, http.MethodPatch, path, map[string]any{"assigneeId": who.ID})
	for range 2 {
		s.must(t, who, http.MethodPost, path+"/comments", map[string]any{"body": "What Ada said"})
	}
	theirs := in.path + "/tasks/" + in.resources["task_id"].(string)
	s.must(t, who, http.MethodPost, theirs+"/comments", map[string]any{"body": "To the owner"})
	s.must(t, in.owner, http.MethodPatch, theirs, map[string]any{"assigneeId": who.ID})
	s.must(t, who, http.MethodPost, in.path+"/invitations", map[string]any{"email": client.NewPerson("Guest").Email, "roleId": "viewer"})
	s.must(t, who, http.MethodPost, in.path+"/invitation-links", map[string]any{"roleId": "viewer"})
	role := s.must(t, who, http.MethodPost, in.path+"/roles", map[string]any{"displayName": "Of Ada", "permissions": []string{"workflow.task.read"}})
	s.must(t, who, http.MethodPost, in.path+"/assignments", map[string]any{
		"subject": map[string]any{"type": "USER", "id": in.second.ID}, "roleId": role.Text("id"), "scope": map[string]any{"type": "ORGANIZATION"},
	})
	s.must(t, who, http.MethodPost, in.path+"/service-accounts", map[string]any{"displayName": "Of Ada"})
	team := s.must(t, in.owner, http.MethodPost, in.path+"/teams", map[string]any{"displayName": "With Ada"}).Text("id")
	s.must(t, in.owner, http.MethodPost, in.path+"/teams/"+team+"/members", map[string]any{"userId": who.ID})
	s.must(t, who, http.MethodPost, "/api/v1/me/access-tokens", map[string]any{"displayName": "Of Ada", "scopes": []string{"workflow.*"}})
	s.must(t, who, http.MethodPost, "/api/v1/me/factors/totp", map[string]any{"name": "Of Ada"})
	s.must(t, who, http.MethodPut, "/api/v1/me/avatar", map[string]any{"image": onePixel})
	s.must(t, who, http.MethodPost, "/api/v1/auth/password:forgot", map[string]any{"email": who.Email})
	s.must(t, who, http.MethodPost, "/api/v1/me/email:change", map[string]any{"newEmail": client.NewPerson("Other").Email})
	s.refused(t, http.StatusForbidden, "PERMISSION_DENIED", who, http.MethodPost, in.path+":delete", map[string]any{"confirmName": "x"})
	s.awaitOne(t, in.owner, "/api/v1/me/notifications", "notifications")
	s.await(t, func() error {
		where, err := s.running.PersonIn(t.Context(), who.ID, who.Email)
		require.NoError(t, err)
		if where["notification.notification.actor_id"] == 0 || where["audit.membership_change.user_id"] == 0 {
			return errors.New("not everybody has heard of it")
		}
		return nil
	})
	return task.Text("id")
}

// leave asks for the deletion, and sees that nothing gets into the account any more.
func (s *suite) leave(t *testing.T, who *client.Person) {
	t.Helper()
	token := s.must(t, who, http.MethodPost, "/api/v1/me/access-tokens", map[string]any{"displayName": "Last", "scopes": []string{"workflow.*"}}).Text("token")
	s.must(t, who, http.MethodDelete, "/api/v1/me", nil)
	machine := &client.Person{Token: token}
	for _, caller := range []*client.Person{who, machine} {
		s.await(t, func() error {
			if answer := s.do(t, caller, http.MethodGet, "/api/v1/me", nil); answer.Reason() != "TOKEN_INVALID" {
				return fmt.Errorf("answered %d: %s", answer.Status, answer.Raw)
			}
			return nil
		})
	}
}

// cancelLeaving leaves and thinks better of it.
func (s *suite) cancelLeaving(t *testing.T, who *client.Person) {
	t.Helper()
	s.leave(t, who)
	s.refused(t, http.StatusUnauthorized, "CREDENTIALS_INVALID", nil, http.MethodPost, "/api/v1/auth/login", map[string]any{"email": who.Email, "password": "wrong wrong wrong"})
	pending := s.refused(t, http.StatusForbidden, "ACCOUNT_DELETION_PENDING", nil, http.MethodPost, "/api/v1/auth/login", map[string]any{"email": who.Email, "password": who.Password})
	require.NotEmpty(t, pending.Metadata("deletionTime"))
	cancel := map[string]any{"cancellationToken": pending.Metadata("cancellationToken")}
	s.must(t, nil, http.MethodPost, "/api/v1/me:cancelDeletion", cancel)
	s.refused(t, http.StatusUnauthorized, "CANCELLATION_TOKEN_INVALID", nil, http.MethodPost, "/api/v1/me:cancelDeletion", cancel)
	require.NoError(t, s.Login(t.Context(), who))
}

// gone says what is left of somebody that must not be.
func (s *suite) gone(t *testing.T, who *client.Person) error {
	t.Helper()
	where, err := s.running.PersonIn(t.Context(), who.ID, who.Email)
	require.NoError(t, err)
	for column := range where {
		if remaining.MatchString(column) {
			delete(where, column)
		}
	}
	if len(where) > 0 {
		return fmt.Errorf("there is left: %v", where)
	}
	return nil
}

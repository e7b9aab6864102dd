package e2e_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/test/client"
)

// testMachine lets an access token and a key go through all of the product, to their ends.
func testMachine(t *testing.T, s *suite) {
	ada := s.signUp(t, "Ada")
	organization := s.organization(t, ada, "Machines")
	task, _ := s.task(t, s.project(t, organization, ada, "MAC"), ada, "Done by a script")
	script := *ada
	made := s.must(t, ada, http.MethodPost, "/api/v1/me/access-tokens", map[string]any{"displayName": "Script", "scopes": []string{"workflow.task.read", "workflow.comment.create"}, "organizationId": idOf(organization)})
	script.Token = made.Text("token")
	s.get(t, &script, task)
	comment := s.must(t, &script, http.MethodPost, task+"/comments", map[string]any{"body": "By a script"})
	s.refused(t, http.StatusForbidden, "SCOPE_MISSING", &script, http.MethodPatch, task, map[string]any{"title": "Other"})
	s.refused(t, http.StatusForbidden, "CREDENTIAL_NOT_ALLOWED", &script, http.MethodPost, "/api/v1/me/access-tokens", map[string]any{"displayName": "More", "scopes": []string{"workflow.*"}})
	s.refused(t, http.StatusNotFound, "NOT_FOUND", &script, http.MethodGet, s.organization(t, ada, "Other"), nil)
	s.await(t, func() error {
		filter := url.QueryEscape(fmt.Sprintf("resourceId = %q", comment.Text("id")))
		for _, record := range s.get(t, ada, organization+"/audit-events?filter="+filter).List("auditEvents") {
			if record["credentialId"] == made.Text("id") && record["actorId"] == ada.ID {
				return nil
			}
		}
		return errors.New("the audit does not say which token it was")
	})
	s.must(t, ada, http.MethodDelete, "/api/v1/me/access-tokens/"+made.Text("id"), nil)
	s.await(t, func() error { return s.isRefused(t, &script, task) })

	machine := s.must(t, ada, http.MethodPost, organization+"/service-accounts", map[string]any{"displayName": "Robot"})
	keys := organization + "/service-accounts/" + machine.Text("id") + "/keys"
	key := s.must(t, ada, http.MethodPost, keys, map[string]any{"displayName": "Key", "scopes": []string{"workflow.*"}})
	basic := client.WithHeader("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(machine.Text("id")+":"+key.Text("secret"))))
	traded := s.must(t, nil, http.MethodPost, "/oauth2/token", []byte("grant_type=client_credentials"), basic, client.WithHeader("Content-Type", "application/x-www-form-urlencoded"))
	robot := client.Person{Token: traded.Text("access_token")}
	answer := s.do(t, &robot, http.MethodGet, task, nil)
	require.Contains(t, []string{"NOT_FOUND", "PERMISSION_DENIED"}, answer.Reason(), "it holds nothing, whether organization has heard of it or not")
	s.must(t, ada, http.MethodDelete, keys+"/"+key.Text("id"), nil)
	s.await(t, func() error { return s.isRefused(t, &robot, task) })
}

// isRefused says whether a credential is no good any more.
func (s *suite) isRefused(t *testing.T, who *client.Person, path string) error {
	if answer := s.do(t, who, http.MethodGet, path, nil); answer.Status != http.StatusUnauthorized {
		return fmt.Errorf("status %d: %s", answer.Status, answer.Raw)
	}
	return nil
}

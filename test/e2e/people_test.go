package e2e_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/test/client"
)

// offers are the calls about the one offer of ownership that an organization can have.
var offers = []string{"TransferOwnership", "CancelOwnershipTransfer", "GetOwnershipTransfer", "AcceptOwnership"}

// usesSpare says whether a call is about the spare member, in its path, in its body or by an offer to them.
func usesSpare(method *rpc.Method) bool {
	if method.Rule == rpc.Operator {
		return false
	}
	name := string(method.Descriptor.Name())
	return slices.Contains(pathVariables(method), "user_id") || name == "AddTeamMember" || slices.Contains(offers, name)
}

// peopleResources makes what calls about teams, links, domains and ownership need.
func (m *matrix) peopleResources(t *testing.T, method *rpc.Method, made values) {
	owner, variables := m.people["owner"], pathVariables(method)
	if method.Rule == rpc.Internal {
		return
	}
	has := func(name string) bool { return slices.Contains(variables, name) }
	if usesSpare(method) {
		m.must(t, owner, http.MethodPost, m.path+"/members/"+m.spare.ID+":resume", map[string]any{})
	}
	if has("team_id") {
		team := m.must(t, owner, http.MethodPost, m.path+"/teams", map[string]any{"displayName": "Example"}).Text("id")
		if has("user_id") {
			m.must(t, owner, http.MethodPost, m.path+"/teams/"+team+"/members", map[string]any{"userId": m.spare.ID})
		}
		made["team_id"] = team
	}
	if has("invitation_link_id") {
		link := m.must(t, owner, http.MethodPost, m.path+"/invitation-links", map[string]any{"roleId": "viewer"})
		made["invitation_link_id"] = link.Text("invitationLink.id")
	}
	if has("domain_id") {
		made["domain_id"] = m.domain(t, owner, m.path)
	}
	if slices.Contains(offers, string(method.Descriptor.Name())) {
		m.must(t, owner, http.MethodPost, m.path+":transferOwnership", map[string]any{"userId": m.spare.ID})
	}
}

// domainName is one that no other organization of the run has.
func domainName() string { return strings.ToLower(projectKey()) + ".example.org" }

// domain adds a domain that shows its record, and returns its id.
func (s *suite) domain(t *testing.T, owner *client.Person, path string) string {
	t.Helper()
	added := s.must(t, owner, http.MethodPost, path+"/domains", map[string]any{"name": domainName()})
	s.names.Publish(added.Text("recordName"), added.Text("recordValue"))
	return added.Text("id")
}

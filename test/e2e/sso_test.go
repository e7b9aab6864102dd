package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/test/client"
	"github.com/braidhq/braid/testkit/oidctest"
)

const (
	// companyDomain is of those who have an account at the company's provider; only testSSO proves it.
	companyDomain = "company.example.net"
	ssoCallback   = "http://braid.test/auth/callback"
)

// startCompanyProvider runs a company's own provider. It says of no address that it is verified, as many don't.
func startCompanyProvider(t *testing.T) *oidctest.Provider {
	accounts := map[string]oidctest.Account{}
	for _, name := range []string{"ben", "carla", "olga"} {
		accounts[name] = oidctest.Account{Email: name + "@" + companyDomain, Name: "The company's " + name}
	}
	return oidctest.Start(t, ssoCallback, accounts)
}

// employee signs somebody with an address of the company up.
func (s *suite) employee(t *testing.T, name string) *client.Person {
	t.Helper()
	who := client.NewPerson(name)
	who.Email = name + "@" + companyDomain
	require.NoError(t, s.Register(t.Context(), who))
	return who
}

// byCompany signs somebody in by a connection, with a browser at the foreign provider.
func (s *suite) byCompany(t *testing.T, connectionID, name string) client.Answer {
	t.Helper()
	begun := s.must(t, nil, http.MethodPost, "/api/v1/auth/oidc:begin", map[string]any{"providerId": connectionID, "redirectUri": ssoCallback})
	returned := s.company.LogIn(begun.Text("authorizationUrl"), name)
	return s.do(t, nil, http.MethodPost, "/api/v1/auth/oidc:finish", map[string]any{
		"state": returned.Get("state"), "code": returned.Get("code"), "issuer": returned.Get("iss"), "browserToken": begun.Text("browserToken"),
	})
}

// fact returns a fact of an error.
func fact(answer client.Answer, name string) string {
	failure, _ := answer.Body["error"].(map[string]any)
	details, _ := failure["details"].([]any)
	for _, one := range details {
		detail, _ := one.(map[string]any)
		facts, _ := detail["metadata"].(map[string]any)
		if text, ok := facts[name].(string); ok {
			return text
		}
	}
	return ""
}

var linkPattern = regexp.MustCompile(`link-provider\?token=([A-Za-z0-9_-]+)`)

// testSSO follows a company from its domain to "only by our own provider", with people who were there before.
func testSSO(t *testing.T, s *suite) {
	ada, ben, olga := s.signUp(t, "Ada"), s.employee(t, "ben"), s.employee(t, "olga")
	organization := s.organization(t, ada, "Company")
	s.join(t, organization, ada, ben, "member")
	s.join(t, organization, ada, olga, "owner")
	claimed := s.must(t, ada, http.MethodPost, organization+"/domains", map[string]any{"name": companyDomain})
	s.names.Publish(claimed.Text("recordName"), claimed.Text("recordValue"))
	domain := organization + "/domains/" + claimed.Text("id")
	s.must(t, ada, http.MethodPost, domain+":verify", map[string]any{})
	s.must(t, ada, http.MethodPatch, domain, map[string]any{"capture": true})
	made := s.must(t, ada, http.MethodPost, organization+"/sso-connections", map[string]any{
		"displayName": "Company", "issuer": s.company.Issuer, "clientId": oidctest.ClientID, "clientSecret": oidctest.ClientSecret,
	})
	require.NotContains(t, string(made.Raw), oidctest.ClientSecret)
	connectionID := made.Text("id")
	connection := organization + "/sso-connections/" + connectionID
	s.refused(t, http.StatusNotFound, "NOT_FOUND", s.signUp(t, "Stranger"), http.MethodGet, connection, nil)
	s.refused(t, http.StatusForbidden, "PERMISSION_DENIED", ben, http.MethodGet, connection, nil)
	s.await(t, func() error {
		found := s.must(t, nil, http.MethodPost, "/api/v1/auth/sso:discover", map[string]any{"email": "nobody@" + companyDomain})
		if found.Text("ssoConnectionId") != connectionID {
			return errors.New("the domain does not lead to the connection yet")
		}
		return nil
	})

	carla := signedIn(t, s.byCompany(t, connectionID, "carla"))
	s.await(t, func() error { return s.reaches(t, carla, organization, http.StatusOK, "") })
	for _, who := range []*client.Person{ada, ben, olga} {
		s.get(t, who, organization)
	}
	s.must(t, ada, http.MethodPatch, connection, map[string]any{"required": true})
	for _, who := range []*client.Person{ben, olga} {
		s.await(t, func() error { return s.reaches(t, who, organization, http.StatusForbidden, "POLICY_FORBIDS") })
	}
	refused := s.do(t, ben, http.MethodGet, organization, nil)
	require.Equal(t, []string{"ssoConnection", "signIn", connectionID}, []string{fact(refused, "policy"), fact(refused, "action"), fact(refused, "ssoConnectionId")})
	s.get(t, ada, organization)
	s.get(t, carla, organization)
	s.get(t, ben, "/api/v1/me")

	password := map[string]any{"email": ben.Email, "password": ben.Password}
	s.refused(t, http.StatusForbidden, "SSO_REQUIRED", nil, http.MethodPost, "/api/v1/auth/login", password)
	bens := s.linkByMail(t, ben, s.byCompany(t, connectionID, "ben"))
	require.Equal(t, ben.ID, bens.ID)
	s.get(t, bens, organization)

	s.breakGlass(t, organization, ada, olga)
	s.must(t, ada, http.MethodPost, organization+"/members/"+ben.ID+":resetFactors", map[string]any{"reason": "Lost the phone"})
	s.await(t, func() error { return s.isRefused(t, bens, organization) })
	_, _, err := s.AwaitMail(t.Context(), ben.Email, regexp.MustCompile(`(removed all second factors)`))
	require.NoError(t, err)

	s.must(t, ada, http.MethodDelete, connection, nil)
	s.await(t, func() error {
		if answer := s.do(t, nil, http.MethodPost, "/api/v1/auth/login", password); answer.Status != http.StatusOK {
			return fmt.Errorf("status %d: %s", answer.Status, answer.Raw)
		}
		return nil
	})
}

// signedIn is who a login was of.
func signedIn(t *testing.T, answer client.Answer) *client.Person {
	t.Helper()
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Raw)
	return &client.Person{ID: answer.Text("user.id"), Email: answer.Text("user.email"), Token: answer.Text("accessToken"), Refresh: answer.Text("refreshToken")}
}

func (s *suite) reaches(t *testing.T, who *client.Person, path string, status int, reason string) error {
	t.Helper()
	if answer := s.do(t, who, http.MethodGet, path, nil); answer.Status != status || answer.Reason() != reason {
		return fmt.Errorf("status %d: %s", answer.Status, answer.Raw)
	}
	return nil
}

// linkByMail goes on where the provider has named somebody with an account that it does not get into yet.
func (s *suite) linkByMail(t *testing.T, who *client.Person, refused client.Answer) *client.Person {
	t.Helper()
	require.Equal(t, "LINK_REQUIRED", refused.Reason(), "%s", refused.Raw)
	linkToken := fact(refused, "linkToken")
	s.must(t, nil, http.MethodPost, "/api/v1/auth/oidc:mailLink", map[string]any{"linkToken": linkToken})
	_, mailToken, err := s.AwaitMail(t.Context(), who.Email, linkPattern)
	require.NoError(t, err)
	s.refused(t, http.StatusBadRequest, "CODE_INVALID", nil, http.MethodPost, "/api/v1/auth/oidc:link", map[string]any{"linkToken": linkToken, "mailToken": "guessed"})
	return signedIn(t, s.do(t, nil, http.MethodPost, "/api/v1/auth/oidc:link", map[string]any{"linkToken": linkToken, "mailToken": mailToken}))
}

// breakGlass signs an owner in past the connection: the other owners are mailed, and the organization's audit log has it.
func (s *suite) breakGlass(t *testing.T, organization string, other, owner *client.Person) {
	t.Helper()
	broken := signedIn(t, s.do(t, nil, http.MethodPost, "/api/v1/auth/login", map[string]any{
		"email": owner.Email, "password": owner.Password, "breakGlass": true,
	}))
	s.get(t, broken, organization)
	_, _, err := s.AwaitMail(t.Context(), other.Email, regexp.MustCompile(`(signed in by password although Company)`))
	require.NoError(t, err)
	s.await(t, func() error {
		filter := url.QueryEscape(`action = "identity.sso.bypassed"`)
		if len(s.get(t, other, organization+"/audit-events?filter="+filter).List("auditEvents")) != 1 {
			return errors.New("the audit log does not have it yet")
		}
		return nil
	})
}

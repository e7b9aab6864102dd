package e2e_test

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238 is made of it.
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/test/client"
)

// braid runs a command of the binary beside the deployment and returns what it prints.
func (s *suite) braid(t *testing.T, arguments ...string) string {
	t.Helper()
	printed, err := s.running.Command(t.Context(), arguments...).CombinedOutput()
	require.NoError(t, err, "%s", printed)
	return string(printed)
}

// operator is somebody new whom the command line has made an operator, signed in with a second factor.
func (s *suite) operator(t *testing.T, role string) *client.Person {
	t.Helper()
	who := s.signUp(t, "Operator")
	s.braid(t, "operator", "create", "--email", who.Email, "--role", role)
	s.secure(t, who)
	return who
}

// secure gives a person an authenticator app, which raises the session that they have.
func (s *suite) secure(t *testing.T, who *client.Person) {
	t.Helper()
	factor := s.must(t, who, http.MethodPost, "/api/v1/me/factors/totp", map[string]any{"name": "Phone"})
	s.must(t, who, http.MethodPost, "/api/v1/me/factors/"+factor.Text("id")+":confirm", map[string]any{"code": oneTimeCode(t, factor.Text("secret"), time.Now())})
	renewed := s.must(t, nil, http.MethodPost, "/api/v1/auth/refresh", map[string]any{"refreshToken": who.Refresh})
	who.Token, who.Refresh = renewed.Text("accessToken"), renewed.Text("refreshToken")
}

// oneTimeCode is what an authenticator app shows (RFC 6238).
func oneTimeCode(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	require.NoError(t, err)
	mac := hmac.New(sha1.New, key)
	require.NoError(t, binary.Write(mac, binary.BigEndian, at.Unix()/30))
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[offset:])&0x7fffffff%1_000_000)
}

// operatorResources makes what a method for operators is called about, for that one call.
func (s *suite) operatorResources(t *testing.T, method *rpc.Method, admin *client.Person) values {
	t.Helper()
	made := examples()
	if strings.HasPrefix(method.Path, "/api/v1/operator/impersonations") && !method.ReadOnly {
		s.makeImpersonated(t, made, admin)
	}
	for _, variable := range pathVariables(method) {
		switch {
		case variable == "organization_id":
			made[variable] = idOf(s.organization(t, s.signUp(t, "Owner"), "Operated"))
		case variable == "user_id" && strings.HasPrefix(method.Path, "/api/v1/operators/"):
			created := s.must(t, admin, http.MethodPost, "/api/v1/operators", map[string]any{"email": client.NewPerson("Operator").Email, "role": "SUPPORT"})
			made[variable] = created.Text("userId")
		case variable == "user_id":
			who := s.signUp(t, "Somebody")
			s.secure(t, who)
			made[variable] = who.ID
		}
	}
	return made
}

// makeImpersonated makes an organization that has let operators in, and somebody in whose name the admin acts there.
func (s *suite) makeImpersonated(t *testing.T, made values, admin *client.Person) {
	t.Helper()
	owner := s.signUp(t, "Impersonated")
	organization := s.organization(t, owner, "Let in")
	s.must(t, owner, http.MethodPost, organization+"/support-grants", map[string]any{"access": "READ", "reason": "Example"})
	begun := s.must(t, admin, http.MethodPost, "/api/v1/operator/impersonations", map[string]any{
		"organizationId": idOf(organization), "userId": owner.ID, "reason": "Example",
	})
	// An operator acts in few names at once, and one that has ended is there as well.
	s.must(t, admin, http.MethodDelete, "/api/v1/operator/impersonations/"+begun.Text("impersonation.id"), nil)
	made["organization_id"], made["user_id"], made["impersonation_id"] = idOf(organization), owner.ID, begun.Text("impersonation.id")
}

var resetPattern = regexp.MustCompile(`reset-password\?token=([A-Za-z0-9_-]+)`)

// testOperator lets operators go through all of the product: from the command line into each process, and out again.
func testOperator(t *testing.T, s *suite) {
	admin := s.operator(t, "admin")
	eve := s.signUp(t, "Eve")
	organization := s.organization(t, eve, "Operated")
	found := "/api/v1/operator/organizations?filter=" + url.QueryEscape(fmt.Sprintf("id = %q", idOf(organization)))
	s.refused(t, http.StatusForbidden, "PERMISSION_DENIED", eve, http.MethodGet, found, nil)

	// Somebody without an account is made an operator, and sets a password by the mailed link.
	sue := client.NewPerson("Sue")
	printed := s.braid(t, "operator", "create", "--email", sue.Email, "--role", "support", "--name", "Sue")
	require.Contains(t, printed, sue.Email+" is an operator with the role support")
	_, mailed, err := s.AwaitMail(t.Context(), sue.Email, resetPattern)
	require.NoError(t, err)
	require.NotContains(t, printed, mailed)
	s.must(t, nil, http.MethodPost, "/api/v1/auth/password:reset", map[string]any{"token": mailed, "newPassword": sue.Password})
	require.NoError(t, s.Login(t.Context(), sue))
	refused := s.refused(t, http.StatusForbidden, "POLICY_FORBIDS", sue, http.MethodGet, found, nil)
	require.Contains(t, string(refused.Raw), "enrollFactor")
	s.secure(t, sue)
	require.Equal(t, "Operated", s.get(t, sue, found).List("organizations")[0]["displayName"])
	require.Regexp(t, `support `+sue.Email+` since \S+ \(second factor\)`, s.braid(t, "operator", "list"))

	// Both find it, neither sees what is in it, and only the admin suspends it.
	at := "/api/v1/operator/organizations/" + idOf(organization)
	for _, who := range []*client.Person{admin, sue} {
		s.refused(t, http.StatusNotFound, "NOT_FOUND", who, http.MethodGet, organization, nil)
		s.refused(t, http.StatusNotFound, "NOT_FOUND", who, http.MethodGet, organization+"/projects", nil)
	}
	s.refused(t, http.StatusForbidden, "PERMISSION_DENIED", sue, http.MethodPost, at+":suspend", map[string]any{"reason": "Unpaid"})
	require.Equal(t, "SUSPENDED", s.must(t, admin, http.MethodPost, at+":suspend", map[string]any{"reason": "Unpaid"}).Text("state"))
	s.await(t, func() error {
		answer := s.do(t, eve, http.MethodPost, organization+"/projects", map[string]any{"key": projectKey(), "displayName": "New"})
		if answer.Reason() != "ORGANIZATION_SUSPENDED" {
			return fmt.Errorf("%d %s", answer.Status, answer.Reason())
		}
		return nil
	})
	s.must(t, admin, http.MethodPost, at+":resume", map[string]any{})
	s.await(t, func() error { // The owner reads in the organization's own log who it was.
		told := map[any]bool{}
		for _, record := range s.get(t, eve, organization+"/audit-events?pageSize=200").List("auditEvents") {
			if record["actorId"] == admin.ID {
				told[record["action"]] = true
			}
		}
		if !told["organization.organization.suspended"] || !told["organization.organization.resumed"] {
			return fmt.Errorf("the log names the operator for %v", told)
		}
		return nil
	})

	// A role that ends ends everywhere, by the API as by the command line.
	listed := s.get(t, admin, "/api/v1/operators?filter="+url.QueryEscape(fmt.Sprintf("email = %q", sue.Email))).List("operators")
	require.Len(t, listed, 1)
	s.must(t, admin, http.MethodDelete, "/api/v1/operators/"+listed[0]["userId"].(string), nil)
	s.await(t, func() error { return s.isRefused(t, sue, found) })
	s.braid(t, "operator", "remove", "--email", admin.Email)
	s.await(t, func() error { return s.isRefused(t, admin, "/api/v1/operators") })
	s.refused(t, http.StatusUnauthorized, "FACTOR_REQUIRED", nil, http.MethodPost, "/api/v1/auth/login", map[string]any{"email": admin.Email, "password": admin.Password})
}

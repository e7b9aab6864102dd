package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/test/client"
	"github.com/braidhq/braid/testkit/golden"
)

// The columns of the table. Nobody is signed in as anonymous.
// Support and operator run the deployment, as support and as admin, and are in no organization.
var roles = []string{"owner", "admin", "member", "viewer", "guest", "outsider", "support", "operator", "anonymous"}

// matrix is an organization with somebody in each role.
type matrix struct {
	*suite
	path string
	// closed is an organization that nobody lets operators into.
	closed string
	people map[string]*client.Person
	// spare is the member that calls are about; whoever uses it holds the lock.
	spare *client.Person
	lock  sync.Mutex
	// ending is another one, for what deletes its organization: that would be in the way of all other calls.
	ending *matrix
}

// testPermissionMatrix calls every RPC of the contract in every role, each time on things made for that one call, and
// compares with a table that a person can read.
func testPermissionMatrix(t *testing.T, s *suite) {
	m := newMatrix(t, s)
	m.ending = newMatrix(t, s)
	methods := catalog(t)
	rows := make([][]string, len(methods))
	t.Run("Rows", func(t *testing.T) {
		for i, method := range methods {
			t.Run(strings.TrimPrefix(method.Procedure, "/braid."), func(t *testing.T) {
				t.Parallel()
				rows[i] = m.row(t, method)
				checkAgainstContract(t, method, rows[i])
			})
		}
	})
	if t.Failed() {
		return
	}
	golden.Assert(t, "testdata/permissions.md", table(methods, rows))
}

func newMatrix(t *testing.T, s *suite) *matrix {
	m := &matrix{suite: s, people: map[string]*client.Person{}}
	m.people["owner"] = s.signUp(t, "Owner")
	m.path = s.organization(t, m.people["owner"], "Matrix")
	m.closed = idOf(s.organization(t, m.people["owner"], "Closed"))
	for _, role := range roles[1:6] {
		m.people[role] = s.signUp(t, role)
		if role != "outsider" {
			s.join(t, m.path, m.people["owner"], m.people[role], role)
		}
	}
	m.people["support"], m.people["operator"] = s.operator(t, "support"), s.operator(t, "admin")
	m.spare = s.signUp(t, "Spare")
	return m
}

func (m *matrix) row(t *testing.T, method *rpc.Method) []string {
	ending := method.Descriptor.Parent().Name() == "DeletionService"
	if ending {
		m = m.ending
	}
	if ending || usesSpare(method) {
		m.lock.Lock()
		defer m.lock.Unlock()
	}
	cells := make([]string, 0, len(roles))
	for _, role := range roles {
		if (role == "support" || role == "operator") && (method.Rule == rpc.Authenticated || method.Rule == rpc.Public) {
			cells = append(cells, likeOutsider)
			continue
		}
		cells = append(cells, m.cell(t, method, m.people[role]))
	}
	return cells
}

// likeOutsider stands where operators are people like any other.
const likeOutsider = "as outsider"

// cell makes what the call needs, calls, and says how it went.
func (m *matrix) cell(t *testing.T, method *rpc.Method, who *client.Person) string {
	if who != nil {
		who = m.apart(t, method, who)
	}
	resources := m.resources(t, method, who)
	if method.Rule == rpc.Organization && (who == m.people["support"] || who == m.people["operator"]) {
		// Other rows let operators in at the same time: with a grant they are no outsiders.
		resources["organization_id"] = m.closed
	}
	r := makeRequest(t, method, resources)
	answer, status := client.Answer{}, 0
	if method.Path == "" {
		answer = m.sendConnect(t, who, r)
		status = connectStatus(answer)
	} else {
		answer = m.send(t, who, r)
		status = answer.Status
	}
	require.Less(t, status, http.StatusInternalServerError, "%s", answer.Raw)
	usual := map[int]string{401: "TOKEN_MISSING", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
	switch reason := answer.Reason(); {
	case status == http.StatusOK:
		return "yes"
	case reason == "" || reason == usual[status]:
		return strconv.Itoa(status)
	default:
		return fmt.Sprint(status, " ", reason)
	}
}

// resources makes a fresh thing for each id that the method's request holds, with an owner's right; comments are the
// caller's own where the caller can write one, and sessions always.
func (m *matrix) resources(t *testing.T, method *rpc.Method, who *client.Person) values {
	if method.Rule == rpc.Operator {
		if who == m.people["support"] && strings.Contains(method.Path, "/impersonations") {
			return m.operatorResources(t, method, who) // One's own alone.
		}
		return m.operatorResources(t, method, m.people["operator"])
	}
	owner := m.people["owner"]
	made := examples().with(values{"organization_id": idOf(m.path)})
	if m.ending == nil {
		m.prepareEnding(t, method)
		made["confirm_name"] = "Matrix"
	}
	variables := pathVariables(method)
	if method.Rule == rpc.Internal {
		for _, name := range []string{"user_id", "session_id", "invitation_id", "transfer_id", "domain_id"} {
			made[name] = id.New().String()
		}
	}
	has := func(name string) bool { return slices.Contains(variables, name) }
	if has("project_id") || has("task_id") {
		project := m.project(t, m.path, owner, projectKey())
		made["project_id"] = idOf(project)
		if has("task_id") {
			task, _ := m.task(t, project, owner, "Example")
			made["task_id"] = idOf(task)
			if has("comment_id") {
				made["comment_id"] = m.comment(t, task, who)
			}
		}
	}
	if usesSpare(method) {
		made["user_id"] = m.spareMember(t)
	}
	m.peopleResources(t, method, made)
	if has("invitation_id") {
		invitation := m.must(t, owner, http.MethodPost, m.path+"/invitations", map[string]any{"email": client.NewPerson("Guest").Email, "roleId": "viewer"})
		made["invitation_id"] = invitation.Text("id")
	}
	if has("session_id") {
		made["session_id"] = m.session(t, who)
	}
	if has("access_token_id") {
		made["access_token_id"] = m.accessToken(t, who)
	}
	if has("service_account_id") {
		machine := m.must(t, owner, http.MethodPost, m.path+"/service-accounts", map[string]any{"displayName": "Example"})
		made["service_account_id"] = machine.Text("id")
		if has("key_id") {
			key := m.must(t, owner, http.MethodPost, m.path+"/service-accounts/"+machine.Text("id")+"/keys", map[string]any{"displayName": "Example", "scopes": []string{"workflow.*"}})
			made["key_id"] = key.Text("id")
		}
	}
	if has("avatar_id") {
		set := m.must(t, m.spare, http.MethodPut, "/api/v1/me/avatar", map[string]any{"image": onePixel})
		made["avatar_id"] = idOf(set.Text("path"))
	}
	if has("audit_event_id") {
		made["audit_event_id"] = m.awaitOne(t, owner, m.path+"/audit-events", "auditEvents")
	}
	// Roles are given to who calls, so that they can give them on; to a member, where nobody does or where that would make
	// of a guest what guests are not. A member has them anyway: other rows must not find anybody with more.
	made["Subject.id"] = m.people["member"].ID
	strangers := []*client.Person{nil, m.people["outsider"], m.people["support"], m.people["operator"]}
	if !slices.Contains(strangers, who) && who != m.people["guest"] {
		made["Subject.id"] = who.ID
	}
	if has("data_export_id") {
		variables = nil // One at a time and three a day: who calls has none.
	}
	if method.Rule != rpc.Internal {
		m.createMissing(t, owner, variables, made)
	}
	return made.with(m.credentials(t, method, who))
}

// prepareEnding leaves the organization as the method needs it, and no deletion to its end.
func (m *matrix) prepareEnding(t *testing.T, method *rpc.Method) {
	owner := m.people["owner"]
	m.do(t, owner, http.MethodPost, m.path+":cancelDeletion", map[string]any{})
	if method.Descriptor.Name() != "DeleteOrganization" {
		m.must(t, owner, http.MethodPost, m.path+":delete", map[string]any{"confirmName": "Matrix"})
	}
}

// credentials are what the public RPCs of identity ask for; anonymous holds those of the outsider.
func (m *matrix) credentials(t *testing.T, method *rpc.Method, who *client.Person) values {
	if method.Rule != rpc.Public || method.ReadOnly {
		return nil
	}
	if who == nil {
		who = m.people["outsider"]
	}
	switch method.Descriptor.Name() {
	case "Login":
		return values{"email": who.Email, "password": who.Password}
	case "VerifyEmail":
		guest := client.NewPerson("Guest")
		m.must(t, nil, http.MethodPost, "/api/v1/auth/register", map[string]any{"email": guest.Email, "password": guest.Password, "displayName": guest.Name})
		_, code, err := m.AwaitMail(t.Context(), guest.Email, client.CodePattern)
		require.NoError(t, err)
		return values{"email": guest.Email, "code": code, "token": ""}
	case "Refresh":
		return values{"refresh_token": m.again(t, who).Refresh}
	default:
		return nil
	}
}

func (m *matrix) comment(t *testing.T, task string, who *client.Person) string {
	writer := m.people["owner"]
	for _, role := range []string{"admin", "member"} {
		if who == m.people[role] {
			writer = who
		}
	}
	made := m.must(t, writer, http.MethodPost, task+"/comments", map[string]any{"body": "Example"})
	return made.Text("id")
}

// spareMember makes sure that the spare is a member and returns their id.
func (m *matrix) spareMember(t *testing.T) string {
	owner := m.people["owner"]
	members := m.get(t, owner, m.path+"/members?pageSize=200").List("members")
	if !slices.Contains(textsOf(members, "userId"), m.spare.ID) {
		m.joinAgain(t)
	}
	return m.spare.ID
}

// joinAgain accepts the newest invitation: the mailbox also holds older ones.
func (m *matrix) joinAgain(t *testing.T) {
	before, err := m.Mails(t.Context(), m.spare.Email)
	require.NoError(t, err)
	m.must(t, m.people["owner"], http.MethodPost, m.path+"/invitations", map[string]any{"email": m.spare.Email, "roleId": "member"})
	m.must(t, m.spare, http.MethodPost, "/api/v1/invitations:accept", map[string]any{"token": m.awaitToken(t, m.spare, len(before))})
}

func (m *matrix) session(t *testing.T, who *client.Person) string {
	if who == nil {
		who = m.people["outsider"]
	}
	other := m.again(t, who)
	validated := m.must(t, nil, http.MethodPost, "/api/v1/auth/validate", map[string]any{"accessToken": other.Token})
	return validated.Text("sessionId")
}

func (m *matrix) accessToken(t *testing.T, who *client.Person) string {
	if who == nil {
		who = m.people["outsider"]
	}
	return m.must(t, who, http.MethodPost, "/api/v1/me/access-tokens", map[string]any{"displayName": "Example", "scopes": []string{"workflow.*"}}).Text("id")
}

// checkAgainstContract holds a row to the permission option, so that a wrong table can't be waved through.
func checkAgainstContract(t *testing.T, method *rpc.Method, row []string) {
	wanted := map[string]string{}
	for _, role := range roles {
		holds := slices.Index(rpc.SystemRoles, role) >= slices.Index(rpc.SystemRoles, method.Role)
		switch {
		case method.Rule == rpc.Internal:
			wanted[role] = "404"
		case method.Rule == rpc.Public:
			continue
		case role == "anonymous":
			wanted[role] = "401"
		case method.Rule == rpc.Operator:
			wanted[role] = "403"
			if role == "operator" || role == "support" && method.Operator == call.OperatorSupport {
				wanted[role] = "yes"
			}
		case method.Rule == rpc.Authenticated:
			continue
		case role == "outsider", role == "support", role == "operator":
			wanted[role] = "404"
		case holds:
			wanted[role] = "yes"
		default:
			wanted[role] = "403"
		}
	}
	for i, role := range roles {
		cell, _, _ := strings.Cut(row[i], " ")
		if wanted[role] != "" {
			assert.Equal(t, wanted[role], cell, "%s as %s", method.Procedure, role)
		}
	}
}

func table(methods []*rpc.Method, rows [][]string) string {
	var out strings.Builder
	out.WriteString("# Who may call what\n\nWritten by the permission matrix of the end-to-end suite (`go test ./test/e2e -update`) from what a running Braid\n" +
		"answered, each cell a call on things made for it. A number is the HTTP status of the refusal; a reason stands beside it\n" +
		"where it is not the usual one (`TOKEN_MISSING`, `PERMISSION_DENIED`, `NOT_FOUND`). Comments are the caller's own where the\n" +
		"caller can write one; the token that accept and reject are called with is nobody's, and so is the factor. Support and\n" +
		"operator are operators of the deployment (support, admin) and in no organization; where a person is all that is asked\n" +
		"for, they are people like the outsider.\n\n")
	fmt.Fprintf(&out, "| RPC | REST | %s |\n|---|---|%s\n", strings.Join(roles, " | "), strings.Repeat("---|", len(roles)))
	for i, method := range methods {
		rest := "internal"
		if method.Path != "" {
			rest = "`" + method.HTTPMethod + " " + method.Path + "`"
		}
		fmt.Fprintf(&out, "| %s | %s | %s |\n", strings.TrimPrefix(method.Procedure, "/braid."), rest, strings.Join(rows[i], " | "))
	}
	return out.String()
}

var keys atomic.Int64

// projectKey is one that no other project of the run has.
func projectKey() string {
	return "K" + strings.ToUpper(strconv.FormatInt(keys.Add(1), 36))
}

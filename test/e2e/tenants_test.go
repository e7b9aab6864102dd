package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/test/client"
)

// tenant is an organization with one of everything.
type tenant struct {
	owner, second *client.Person
	path          string
	// resources holds an id for each path variable and reference of the contract, by field name.
	resources values
}

// testTenants calls every RPC of the contract, found in the descriptors, as a stranger: with the foreign organization's
// ids under its path, and under the caller's own. Nothing is found and nothing changes; and a foreign resource can't
// be told from one that does not exist.
func testTenants(t *testing.T, s *suite) {
	mark := "canary-" + id.New().String()
	a, b := s.tenant(t, mark), s.tenant(t, "other")
	methods := catalog(t)
	checkReferences(t, methods, a)
	absent := missing(a.resources)
	before := s.settle(t, a)
	for _, method := range methods {
		for _, form := range []string{"REST", "Connect"} {
			if method.Path == "" && form == "REST" {
				continue
			}
			t.Run(strings.TrimPrefix(method.Procedure, "/braid.")+"/"+form, func(t *testing.T) {
				s.callAsStranger(t, method, form, a, b, absent)
			})
		}
	}
	if difference := cmp.Diff(before, s.settle(t, a)); difference != "" {
		t.Errorf("the stranger has changed something (-before +after):\n%s", difference)
	}
	s.callAsOwner(t, methods, a)
}

// tenant makes an organization in which every text holds the mark.
func (s *suite) tenant(t *testing.T, mark string) tenant {
	owner, second := client.NewPerson("Owner "+mark), client.NewPerson("Second "+mark)
	for _, who := range []*client.Person{owner, second} {
		who.Email = strings.ToLower(strings.ReplaceAll(who.Name, " ", "-")) + "@example.com"
		require.NoError(t, s.Register(t.Context(), who))
	}
	path := s.organization(t, owner, mark)
	s.join(t, path, owner, second, "member")
	project := s.project(t, path, owner, "TEN")
	task := s.must(t, owner, http.MethodPost, project+"/tasks", map[string]any{"title": mark, "description": mark, "assigneeId": second.ID, "labels": []string{mark}})
	taskPath := path + "/tasks/" + task.Text("id")
	comment := s.must(t, owner, http.MethodPost, taskPath+"/comments", map[string]any{"body": mark})
	s.must(t, second, http.MethodPost, taskPath+"/comments", map[string]any{"body": mark})
	invitation := s.must(t, owner, http.MethodPost, path+"/invitations", map[string]any{"email": mark + "@example.com", "roleId": "viewer"})
	above := s.must(t, owner, http.MethodPost, path+"/teams", map[string]any{"displayName": mark, "description": mark}).Text("id")
	team := s.must(t, owner, http.MethodPost, path+"/teams", map[string]any{"displayName": mark}).Text("id")
	s.must(t, owner, http.MethodPost, path+"/teams/"+team+"/members", map[string]any{"userId": second.ID})
	link := s.must(t, owner, http.MethodPost, path+"/invitation-links", map[string]any{"roleId": "viewer"})
	s.must(t, owner, http.MethodPost, path+":transferOwnership", map[string]any{"userId": second.ID})
	sessions := s.get(t, owner, "/api/v1/me/sessions")
	// It waits for its first code, so the owner goes on logging in with the password.
	factor := s.must(t, owner, http.MethodPost, "/api/v1/me/factors/totp", map[string]any{"name": mark})
	token := s.must(t, owner, http.MethodPost, "/api/v1/me/access-tokens", map[string]any{"displayName": mark, "scopes": []string{"workflow.*"}})
	machine := s.must(t, owner, http.MethodPost, path+"/service-accounts", map[string]any{"displayName": mark, "description": mark})
	key := s.must(t, owner, http.MethodPost, path+"/service-accounts/"+machine.Text("id")+"/keys", map[string]any{"displayName": mark, "scopes": []string{"workflow.*"}})
	notification := s.awaitOne(t, owner, "/api/v1/me/notifications", "notifications")
	record := s.awaitOne(t, owner, path+"/audit-events", "auditEvents")
	resources := values{
		"organization_id": idOf(path), "project_id": idOf(project), "task_id": task.Text("id"), "comment_id": comment.Text("id"),
		"user_id": second.ID, "assignee_id": second.ID, "invitation_id": invitation.Text("id"),
		"access_token_id": token.Text("id"), "service_account_id": machine.Text("id"), "key_id": key.Text("id"),
		"session_id": sessions.List("sessions")[0]["id"], "audit_event_id": record, "notification_ids": []string{notification},
		"factor_id": factor.Text("id"), "user_ids": []string{second.ID},
		"team_id": team, "parent_team_id": above, "invitation_link_id": link.Text("invitationLink.id"), "domain_id": s.domain(t, owner, path),
	}
	var variables []string
	for _, method := range catalog(t) {
		variables = append(variables, pathVariables(method)...)
	}
	made := resources.with(values{"Subject.id": second.ID})
	s.createMissing(t, owner, variables, made)
	return tenant{owner: owner, second: second, path: path, resources: made}
}

// awaitOne waits for a list to have an item and returns its id.
func (s *suite) awaitOne(t *testing.T, who *client.Person, path, key string) string {
	var found string
	s.await(t, func() error {
		items := s.get(t, who, path).List(key)
		if len(items) == 0 {
			return errors.New(path + " is empty")
		}
		found, _ = items[0]["id"].(string)
		return nil
	})
	return found
}

// fillTenant are the values of a request; naming notifications excludes naming all of them.
func fillTenant(resources values) values {
	filled := examples().with(resources)
	delete(filled, "all")
	return filled
}

// A way to reach for what is another's: which ids are the other's, and the same with ids that nobody has.
type way struct {
	name          string
	foreign, none values
	// notFound says that the answer must be a 404: the path names something of the other's. Who is no operator is refused
	// whatever the path names.
	notFound bool
}

// strangers are the ways that a method offers: all ids foreign; all but the organization's and those that the body
// refers to, in whatever depth; only the latter.
func strangers(method *rpc.Method, a, b tenant, absent values) []way {
	variables := pathVariables(method)
	ways := []way{{name: "foreign path", foreign: a.resources, none: absent, notFound: len(variables) > 0 && method.Rule != rpc.Operator || method.Rule == rpc.Internal}}
	if !slices.Contains(variables, "organization_id") {
		return ways
	}
	own, references := values{"organization_id": b.resources["organization_id"]}, []string{}
	for _, reference := range referencesOf(method) {
		if _, known := a.resources[reference.name]; known && !reference.variable && !reference.listed {
			own[reference.name] = b.resources[reference.name]
			references = append(references, reference.name)
		}
	}
	ways = append(ways, way{name: "own path", foreign: a.resources.with(own), none: absent.with(own), notFound: len(variables) > 1})
	if len(references) > 0 {
		foreign, none := b.resources, b.resources
		for _, name := range references {
			foreign, none = foreign.with(values{name: a.resources[name]}), none.with(values{name: absent[name]})
		}
		ways = append(ways, way{name: "foreign reference", foreign: foreign, none: none})
	}
	return ways
}

// missing gives each resource an id that nobody has. They are the same for every call: whoever asks about ever new
// organizations that are not theirs is slowed down, be those missing or foreign.
func missing(resources values) values {
	absent := values{}
	for name := range resources {
		absent[name] = id.New().String()
	}
	return absent.with(values{"notification_ids": []string{id.New().String()}, "user_ids": []string{id.New().String()}})
}

func (s *suite) callAsStranger(t *testing.T, method *rpc.Method, form string, a, b tenant, absent values) {
	for _, way := range strangers(method, a, b, absent) {
		// The same values and correlation id, so that nothing else may differ.
		named, shared := client.WithHeader("X-Correlation-Id", "stranger-"+id.New().String()), examples()
		delete(shared, "all") // Naming notifications excludes it.
		foreign := s.answerTo(t, form, b, makeRequest(t, method, shared.with(way.foreign)), named)
		none := s.answerTo(t, form, b, makeRequest(t, method, shared.with(way.none)), named)
		status := foreign.Status
		if form == "Connect" {
			status = connectStatus(foreign)
		}
		if way.notFound {
			assert.Equal(t, http.StatusNotFound, status, "%s: %s", way.name, foreign.Raw)
		}
		assert.Less(t, status, http.StatusInternalServerError, "%s: %s", way.name, foreign.Raw)
		assertNothingOf(t, a, foreign)
		if !method.ReadOnly && status == http.StatusOK {
			continue // It made something of the caller's own, which has an id of its own.
		}
		assert.Equal(t, none.Status, foreign.Status, way.name)
		assert.Equal(t, string(none.Raw), string(foreign.Raw), "%s: a foreign resource must look like a missing one", way.name)
	}
}

// answerTo sends a request as B. What may end the session gets one of its own.
func (s *suite) answerTo(t *testing.T, form string, b tenant, r request, options ...client.Option) client.Answer {
	who := s.apart(t, r.method, b.owner)
	send := s.send
	if form == "Connect" {
		send = s.sendConnect
	}
	var answer client.Answer
	// Whoever asks for so much that isn't theirs is told to come back later.
	s.await(t, func() error {
		if answer = send(t, who, r, options...); answer.Status == http.StatusTooManyRequests {
			return errors.New("still asked too much")
		}
		return nil
	})
	return answer
}

// assertNothingOf looks for anything that only the tenant's own people may know.
func assertNothingOf(t *testing.T, a tenant, answer client.Answer) {
	known := []string{"canary-", a.owner.ID, a.owner.Email, a.second.Email}
	for _, value := range a.resources {
		if text, ok := value.(string); ok {
			known = append(known, text)
		}
	}
	for _, text := range known {
		assert.False(t, bytes.Contains(answer.Raw, []byte(text)), "the answer tells %q: %s", text, answer.Raw)
	}
}

const settled = 500 * time.Millisecond

// settle waits until nothing of the tenant changes any more, and returns all that its owner can read.
func (s *suite) settle(t *testing.T, a tenant) map[string]string {
	var last map[string]string
	since := time.Now()
	s.await(t, func() error {
		now := s.readAll(t, a)
		if !cmp.Equal(last, now) {
			last, since = now, time.Now()
		}
		if time.Since(since) < settled {
			return fmt.Errorf("still changing after %s: %s", time.Since(since), cmp.Diff(last, now))
		}
		return nil
	})
	require.Greater(t, len(last), 10)
	return last
}

// readAll reads through every method of the contract that only reads.
func (s *suite) readAll(t *testing.T, a tenant) map[string]string {
	state := map[string]string{}
	for _, method := range catalog(t) {
		if method.HTTPMethod != http.MethodGet || method.Stream {
			continue
		}
		path, _ := makeRequest(t, method, fillTenant(a.resources)).rest()
		for name, who := range map[string]*client.Person{"owner": a.owner, "second": a.second} {
			answer := s.do(t, who, http.MethodGet, path, nil)
			if answer.Status == http.StatusOK {
				state[name+" "+path] = indent(answer.Raw)
			}
		}
	}
	audited := a.path + "/audit-events?pageSize=200&filter=" + url.QueryEscape(`createTime > "2000-01-01T00:00:00Z"`)
	state["all records"] = indent(s.get(t, a.owner, audited).Raw)
	return state
}

// indent gives a body lines, so that differences can be read.
func indent(raw []byte) string {
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", " "); err != nil {
		return string(raw)
	}
	return out.String()
}

// callAsOwner makes the same calls with the right to: they succeed, or conflict with one before. Without this, a
// wrongly made request would prove nothing.
func (s *suite) callAsOwner(t *testing.T, methods []*rpc.Method, a tenant) {
	order := map[string]int{http.MethodGet: 0, http.MethodPatch: 1, http.MethodPost: 2, http.MethodDelete: 3}
	// The organization's deletion is asked for, looked at and called off before anything in it is deleted.
	ending := []string{"DeleteOrganization", "GetDeletion", "CancelDeletion"}
	place := func(method *rpc.Method) int {
		if at := slices.Index(ending, string(method.Descriptor.Name())); at >= 0 {
			return order[http.MethodDelete] + at
		}
		if method.HTTPMethod == http.MethodDelete {
			return order[http.MethodDelete] + len(ending)
		}
		return order[method.HTTPMethod]
	}
	methods = slices.Clone(methods)
	// What ends the session of the calls goes last.
	ends := func(method *rpc.Method) int { return strings.Count(method.Path, "{session_id}") }
	slices.SortStableFunc(methods, func(x, y *rpc.Method) int {
		if ends(x) != ends(y) {
			return ends(x) - ends(y)
		}
		if place(x) != place(y) {
			return place(x) - place(y)
		}
		// Comments go before their task.
		return len(y.Path) - len(x.Path)
	})
	for _, method := range methods {
		if len(pathVariables(method)) == 0 || method.Rule == rpc.Public || method.Rule == rpc.Operator {
			continue // The permission matrix calls what is for operators.
		}
		if slices.Contains(pathVariables(method), "identity_id") {
			continue // Nobody has one without a provider.
		}
		answer := s.send(t, a.owner, makeRequest(t, method, fillTenant(a.resources)))
		if answer.Reason() == "CODE_INVALID" {
			continue // It was found; the code is known to its owner's phone only.
		}
		assert.Contains(t, []int{http.StatusOK, http.StatusConflict}, answer.Status, "%s: %s", method.Procedure, answer.Raw)
	}
}

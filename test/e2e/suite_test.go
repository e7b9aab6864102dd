// Package e2e is the one end-to-end suite: the same tests against everything in one process and against one process
// per service. It speaks to the public port, the mailbox and the event topics, as strangers do.
package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/test/client"
	"github.com/braidhq/braid/test/deployment"
	"github.com/braidhq/braid/testkit/bustest"
	"github.com/braidhq/braid/testkit/dnstest"
	"github.com/braidhq/braid/testkit/oidctest"
)

// The suite makes in a minute what people make in a day.
var generousLimits = []string{
	"BRAID_GATEWAY_AUTH_RATE=100000", "BRAID_GATEWAY_ADDRESS_RATE=1000000", "BRAID_GATEWAY_USER_RATE=1000000",
	// The walks sign the same people in over and over.
	"BRAID_IDENTITY_SESSIONS_PER_USER=1000",
	"BRAID_ORGANIZATION_DELETION_GRACE=5s",
	// The company's provider is on this machine.
	"BRAID_IDENTITY_PROVIDERS_PRIVATE_ISSUERS=true", "BRAID_IDENTITY_PROVIDERS_REDIRECT_URIS=" + ssoCallback,
}

func TestAllInOne(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts the whole product")
	}
	directory := makeDirectory(t)
	collector, names, company := newCollector(t), dnstest.Start(t), startCompanyProvider(t)
	running, err := deployment.StartAllInOne(t.Context(), deployment.Options{Directory: directory, Environment: environment(collector, names)})
	if err != nil {
		printLogs(t, findLogs(t, directory))
	}
	require.NoError(t, err)
	runSuite(t, running, collector, names, company)
}

func TestSplit(t *testing.T) {
	t.Parallel()
	if os.Getenv("BRAID_TEST_SPLIT") != "1" {
		t.Skip("needs Apache Kafka: run make e2e-split, which sets BRAID_TEST_SPLIT=1")
	}
	directory := makeDirectory(t)
	collector, names, company := newCollector(t), dnstest.Start(t), startCompanyProvider(t)
	running, err := deployment.StartSplit(t.Context(), deployment.Options{Directory: directory, Environment: environment(collector, names)})
	if err != nil {
		printLogs(t, findLogs(t, directory))
	}
	require.NoError(t, err)
	t.Run("Bus", func(t *testing.T) {
		t.Parallel()
		bustest.Conformance(t, bus.Connection{Brokers: running.Brokers})
	})
	runSuite(t, running, collector, names, company)
}

// environment is what a deployment is configured with.
func environment(collector *collector, names *dnstest.Server) []string {
	return append(append(collector.environment(), generousLimits...), "BRAID_ORGANIZATION_DNS_SERVER="+names.Address)
}

// makeDirectory is not t.TempDir, whose parent the unprivileged PostgreSQL could not pass. BRAID_TEST_KEEP=1 leaves it
// behind, with the logs.
func makeDirectory(t *testing.T) string {
	directory, err := os.MkdirTemp("", "braid-e2e-")
	require.NoError(t, err)
	if os.Getenv("BRAID_TEST_KEEP") == "" {
		t.Cleanup(func() { _ = os.RemoveAll(directory) })
	}
	return directory
}

func runSuite(t *testing.T, running *deployment.Deployment, collector *collector, names *dnstest.Server, company *oidctest.Provider) {
	t.Cleanup(func() {
		assert.NoError(t, running.Stop(), "everything stops cleanly")
		if t.Failed() {
			printLogs(t, running.Logs())
		}
	})
	s := &suite{Client: client.New(running.URL, running.AdminURL), running: running, collector: collector, names: names, company: company}
	cookies := &cookieWatch{next: s.HTTP.Transport}
	s.HTTP.Transport = cookies
	t.Cleanup(func() { cookies.requireNone(t) })
	for _, test := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"Walk", testWalk},
		{"Tenants", testTenants},
		{"PermissionMatrix", testPermissionMatrix},
		{"Session", testSession},
		{"Member", testMember},
		{"Machine", testMachine},
		{"Task", testTask},
		{"Live", testLive},
		{"Notification", testNotification},
		{"Idempotency", testIdempotency},
		{"Protocol", testProtocol},
		{"Input", testInput},
		{"Audit", testAudit},
		{"Access", testAccess},
		{"Deletion", testDeletion},
		{"Secrets", testSecrets},
		{"Trace", testTrace},
		{"Metrics", testMetrics},
		{"Kcat", testKcat},
		{"MassAssignment", testMassAssignment},
		{"SSO", testSSO},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, s)
		})
	}
}

const (
	shownLog    = 32 << 20
	shownLines  = 100
	shownEnding = 10
)

// printLogs shows of each part's log what is no plain information, and how it ends.
func printLogs(t *testing.T, paths []string) {
	for _, path := range paths {
		lines := strings.Split(strings.TrimSpace(readLog(t, path)), "\n")
		var shown []string
		for i, line := range lines {
			if i >= len(lines)-shownEnding || (len(shown) < shownLines && !strings.Contains(line, `"level":"INFO"`)) {
				shown = append(shown, line)
			}
		}
		t.Logf("%s, %d lines, of which:\n%s", path, len(lines), strings.Join(shown, "\n"))
	}
}

// findLogs lists the logs of a deployment that did not start.
func findLogs(t *testing.T, directory string) []string {
	paths, err := filepath.Glob(filepath.Join(directory, "*.log"))
	require.NoError(t, err)
	more, err := filepath.Glob(filepath.Join(directory, "*", "*.log"))
	require.NoError(t, err)
	return append(paths, more...)
}

// readLog returns a log up to a bound.
func readLog(t *testing.T, path string) string {
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, shownLog))
	require.NoError(t, err)
	return string(content)
}

// adminPage reads a page of the admin port.
func (s *suite) adminPage(t *testing.T, path string) string {
	t.Helper()
	response, err := s.HTTP.Get(s.AdminURL + path)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(response.Body, shownLog))
	require.NoError(t, err)
	return string(content)
}

// suite is what every test is given: one running deployment.
type suite struct {
	*client.Client
	running   *deployment.Deployment
	collector *collector
	// names is the DNS server that domains are looked up at.
	names *dnstest.Server
	// company is a foreign provider that an organization can connect to.
	company *oidctest.Provider
}

// do sends one request; no answer at all fails the test.
func (s *suite) do(t *testing.T, who *client.Person, method, path string, body any, options ...client.Option) client.Answer {
	t.Helper()
	answer, err := s.Do(t.Context(), who, method, path, body, options...)
	require.NoError(t, err)
	return answer
}

// must is do for requests that have to succeed.
func (s *suite) must(t *testing.T, who *client.Person, method, path string, body any, options ...client.Option) client.Answer {
	t.Helper()
	answer, err := s.Must(t.Context(), who, method, path, body, options...)
	require.NoError(t, err)
	return answer
}

// refused sends a request that has to fail with a status and a reason.
func (s *suite) refused(t *testing.T, status int, reason string, who *client.Person, method, path string, body any, options ...client.Option) client.Answer {
	t.Helper()
	answer := s.do(t, who, method, path, body, options...)
	require.Equal(t, fmt.Sprint(status, " ", reason), fmt.Sprint(answer.Status, " ", answer.Reason()), "%s %s: %s", method, path, answer.Raw)
	require.Equal(t, answer.Header.Get("X-Correlation-Id"), answer.Text("error.correlationId"))
	return answer
}

func (s *suite) get(t *testing.T, who *client.Person, path string) client.Answer {
	t.Helper()
	return s.must(t, who, http.MethodGet, path, nil)
}

func (s *suite) signUp(t *testing.T, name string) *client.Person {
	t.Helper()
	who, err := s.SignUp(t.Context(), name)
	require.NoError(t, err)
	return who
}

// again is another session of the same person.
func (s *suite) again(t *testing.T, who *client.Person) *client.Person {
	t.Helper()
	copied := *who
	require.NoError(t, s.Login(t.Context(), &copied))
	return &copied
}

// apart is who calls a method that may end sessions: the same person with a session of its own, or, where it ends all of
// a person's sessions, somebody else.
func (s *suite) apart(t *testing.T, method *rpc.Method, who *client.Person) *client.Person {
	t.Helper()
	switch {
	case method.Rule != rpc.Authenticated || method.ReadOnly:
		return who
	case method.Descriptor.Parent().Name() == "SessionService":
		return s.signUp(t, "Somebody")
	default:
		return s.again(t, who)
	}
}

func (s *suite) organization(t *testing.T, owner *client.Person, name string) string {
	t.Helper()
	path, err := s.CreateOrganization(t.Context(), owner, name)
	require.NoError(t, err)
	return path
}

func (s *suite) join(t *testing.T, organization string, inviter, invited *client.Person, role string) {
	t.Helper()
	require.NoError(t, s.Join(t.Context(), organization, inviter, invited, role))
}

// project makes a project and returns its path.
func (s *suite) project(t *testing.T, organization string, who *client.Person, key string) string {
	t.Helper()
	made := s.must(t, who, http.MethodPost, organization+"/projects", map[string]any{"key": key, "displayName": "Project " + key})
	return organization + "/projects/" + made.Text("id")
}

// task makes a task and returns its path and the answer.
func (s *suite) task(t *testing.T, project string, who *client.Person, title string) (string, client.Answer) {
	t.Helper()
	made := s.must(t, who, http.MethodPost, project+"/tasks", map[string]any{"title": title})
	organization, _, _ := strings.Cut(project, "/projects/")
	return organization + "/tasks/" + made.Text("id"), made
}

func (s *suite) await(t *testing.T, check func() error) {
	t.Helper()
	require.NoError(t, client.Await(t.Context(), check))
}

// idOf returns the last part of a resource's path.
func idOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// textsOf collects one field of each item.
func textsOf(items []map[string]any, key string) []string {
	texts := make([]string, 0, len(items))
	for _, item := range items {
		text, _ := item[key].(string)
		texts = append(texts, text)
	}
	return texts
}

// containsAll reports the first of wanted that is missing.
func containsAll(got []string, wanted ...string) error {
	for _, one := range wanted {
		if !slices.Contains(got, one) {
			return fmt.Errorf("%q is not among %q", one, got)
		}
	}
	return nil
}

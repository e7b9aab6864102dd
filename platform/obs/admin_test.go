package obs

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/braidhq/braid/platform/module"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startAdmin serves until the test ends and returns the server's address.
func startAdmin(t *testing.T, admin *Admin) string {
	t.Helper()
	part := admin.Part()
	require.NoError(t, part.Start(t.Context()))
	done := make(chan error, 1)
	go func() { done <- part.Run(t.Context()) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, part.Stop(ctx))
		require.NoError(t, <-done)
	})
	return admin.Addr().String()
}

func newTestAdmin(conditions func() []module.Condition) *Admin {
	return NewAdmin(AdminConfig{Listen: "127.0.0.1:0"}, NewMetrics(Build{Version: "v1"}), conditions, slog.New(slog.DiscardHandler))
}

// get returns the answer to a GET under a host name.
func get(t *testing.T, address, host, path string) (status int, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
	require.NoError(t, err)
	request.Host = host
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"))
	return response.StatusCode, string(content)
}

func TestAdminPages(t *testing.T) {
	t.Parallel()
	conditions := []module.Condition{{Part: "workflow.database"}, {Part: "broker", Optional: true}}
	admin := newTestAdmin(func() []module.Condition { return conditions })
	admin.Handle("GET /mailbox/{id}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "mail "+r.PathValue("id"))
	}))
	address := startAdmin(t, admin)

	status, body := get(t, address, address, "/healthz")
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"status":"ok"}`, body)

	status, body = get(t, address, address, "/readyz")
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"status":"ready"}`, body)

	conditions[1].Err = errors.New("refused")
	status, body = get(t, address, address, "/readyz")
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"status":"ready","degraded":{"broker":"refused"}}`, body)

	conditions[0].Err = errors.New("dial postgres://braid:canary@db: refused")
	status, body = get(t, address, address, "/readyz")
	require.Equal(t, 503, status)
	require.JSONEq(t, `{"status":"not ready","parts":{"workflow.database":"dial postgres://braid:xxxxx@db: refused"},"degraded":{"broker":"refused"}}`, body)

	status, body = get(t, address, address, "/metrics")
	require.Equal(t, 200, status)
	require.Contains(t, body, `braid_build_info{commit="",go_version=`)
	require.Contains(t, body, "go_goroutines")

	status, _ = get(t, address, address, "/debug/pprof/goroutine?debug=1")
	require.Equal(t, 200, status)
	status, body = get(t, address, address, "/mailbox/7")
	require.Equal(t, 200, status)
	require.Equal(t, "mail 7", body)
	status, _ = get(t, address, address, "/absent")
	require.Equal(t, 404, status)
}

func TestAdminRefusesForeignNamesOnLoopback(t *testing.T) {
	t.Parallel()
	address := startAdmin(t, newTestAdmin(func() []module.Condition { return nil }))
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:" + port: 200, "127.0.0.1:" + port: 200, "[::1]:" + port: 200, "10.0.0.7": 200,
		"attacker.example": 421, "attacker.example:" + port: 421, "localhost.attacker.example": 421, "127.0.0.1.nip.io": 421,
	} {
		status, _ := get(t, address, host, "/healthz")
		require.Equal(t, want, status, host)
	}
}

func TestBusyPortNamesPortAndFlag(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	config := AdminConfig{Listen: taken.Addr().String()}
	admin := NewAdmin(config, prometheus.NewRegistry(), nil, slog.New(slog.DiscardHandler))
	err = admin.Listen(t.Context())
	require.ErrorContains(t, err, taken.Addr().String())
	require.ErrorContains(t, err, "--admin-listen")
	require.Nil(t, admin.Addr())
}

func TestMetricsFollowTheNamingRules(t *testing.T) {
	t.Parallel()
	problems, err := testutil.GatherAndLint(NewMetrics(Build{Version: "v1", Commit: "abc"}))
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestConditionsAreMetrics(t *testing.T) {
	t.Parallel()
	collector := NewConditionCollector(func() []module.Condition {
		return []module.Condition{{Part: "broker", Optional: true, Err: errors.New("refused")}, {Part: "workflow.database"}}
	})
	require.NoError(t, testutil.CollectAndCompare(collector, strings.NewReader(`
# HELP braid_part_ready Whether a part of the process can do its work: 1 or 0.
# TYPE braid_part_ready gauge
braid_part_ready{part="broker"} 0
braid_part_ready{part="workflow.database"} 1
`)))
	problems, err := testutil.CollectAndLint(collector)
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestAdminConfigIsChecked(t *testing.T) {
	t.Parallel()
	for listen, good := range map[string]bool{"127.0.0.1:8081": true, ":8081": true, "[::1]:0": true, "8081": false, "": false, "127.0.0.1:99999": false, "127.0.0.1:-1": false} {
		var keys []string
		(&AdminConfig{Listen: listen}).Validate(func(key, _ string) { keys = append(keys, key) })
		require.Equal(t, good, len(keys) == 0, listen)
	}
}

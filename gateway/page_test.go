package gateway_test

import (
	"encoding/json"
	"html"
	"io/fs"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
)

func newRegistry() *prometheus.Registry { return prometheus.NewRegistry() }

func TestOpenAPIIsServed(t *testing.T) {
	t.Parallel()
	d := newDoor(t, nil)
	got := d.send("GET", "/openapi.json", "", "")
	require.Equal(t, 200, got.status)
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
	var document struct {
		OpenAPI string
		Paths   map[string]map[string]any
	}
	require.NoError(t, json.Unmarshal([]byte(got.text), &document))
	require.True(t, strings.HasPrefix(document.OpenAPI, "3.1."))
	methods, err := rpc.Catalog()
	require.NoError(t, err)
	described := 0
	for _, operations := range document.Paths {
		described += len(operations)
	}
	public := 0
	for _, method := range methods {
		if method.Path != "" {
			public++
		}
	}
	require.Equal(t, public, described, "every method with a path, and nothing else")
}

func TestDocsAreServedFromHere(t *testing.T) {
	t.Parallel()
	d := newDoor(t, nil)
	moved := d.send("GET", "/docs", "", "")
	require.Equal(t, 301, moved.status)
	require.Equal(t, "/docs/", moved.header.Get("Location"))
	page := d.send("GET", "/docs/", "", "")
	require.Equal(t, 200, page.status)
	require.Contains(t, page.header.Get("Content-Type"), "text/html")
	policy := page.header.Get("Content-Security-Policy")
	require.Contains(t, policy, "script-src 'self';")
	require.Contains(t, policy, "connect-src 'self';")
	require.NotContains(t, policy, "http")
	for _, asset := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page.text, -1) {
		require.NotRegexp(t, `^(https?:)?//`, asset[1], "nothing comes from elsewhere")
		if strings.HasPrefix(asset[1], "/") || strings.HasPrefix(asset[1], "data:") || strings.HasPrefix(asset[1], "swagger/") {
			continue
		}
		require.Equal(t, 200, d.send("GET", "/docs/"+asset[1], "", "").status, asset[1])
	}
	require.NotRegexp(t, `<script>|\son\w+=`, page.text, "the policy allows no script within the page")
	if _, err := fs.Stat(os.DirFS("docs"), "swagger/swagger-ui-bundle.js"); err == nil {
		bundle := d.send("GET", "/docs/swagger/swagger-ui-bundle.js", "", "")
		require.Equal(t, 200, bundle.status)
		require.Contains(t, bundle.header.Get("Content-Type"), "javascript")
	}
}

// Whoever follows a link of a mail, or the address that up announces, finds a page that says what to do.
func TestPagesStandInForTheConsole(t *testing.T) {
	t.Parallel()
	d := newDoor(t, nil)
	organization, task := id.New().String(), id.New().String()
	for path, says := range map[string][]string{
		"/": {`href="/docs/"`, `href="/openapi.json"`, "README", "https://braid.example.com/api/v1/auth/login"},
		"/organizations/" + organization + "/tasks/" + task: {
			"https://braid.example.com/api/v1/organizations/" + organization + "/tasks/" + task,
		},
		"/organizations/x/tasks/$(id)": {"organizations/&lt;id of the organization&gt;/tasks/&lt;id of the task&gt; "},
		"/settings/notifications":      {"https://braid.example.com/api/v1/me/notification-preferences"},
	} {
		got := d.send("GET", path, "", "")
		require.Equal(t, 200, got.status, path)
		require.Equal(t, "text/html; charset=utf-8", got.header.Get("Content-Type"))
		require.Equal(t, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'", got.header.Get("Content-Security-Policy"))
		require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
		require.NotEmpty(t, got.header.Get("RateLimit-Limit"))
		for _, text := range says {
			require.Contains(t, got.text, text, path)
		}
		require.NotContains(t, got.text, "<b>")
		require.NotContains(t, got.text, "$(id)")
		head := d.send("HEAD", path, "", "")
		require.Equal(t, 200, head.status, path)
		require.Empty(t, head.text)
		refused := d.send("POST", path, "", "")
		require.Equal(t, 405, refused.status, path)
		require.Equal(t, "GET, HEAD", refused.header.Get("Allow"))
	}
	for _, path := range []string{
		"/index.html", "/organizations/%3Cb%3E/tasks/" + task, "/organizations", "/organizations/" + organization, "/organizations/" + organization + "/tasks/" + task + "/",
		"/organizations/" + organization + "/tasks/" + task + "/comments", "/organizations//tasks/" + task, "/settings", "/settings/notifications/",
	} {
		got := d.send("GET", path, "", "")
		require.Equal(t, 404, got.status, path)
		require.Equal(t, "PATH_UNKNOWN", got.reason(t), path)
	}
}

func TestInvitationPage(t *testing.T) {
	t.Parallel()
	d := newDoor(t, nil)
	got := d.send("GET", "/invitations/accept?token=aZ09-_", "", "")
	require.Equal(t, 200, got.status)
	require.Contains(t, html.UnescapeString(got.text), `{"token":"aZ09-_"}`)
	require.Contains(t, got.text, "https://braid.example.com/api/v1/invitations:accept")
	require.Contains(t, got.header.Get("Content-Security-Policy"), "default-src 'none'")
	for _, token := range []string{
		"", "<script>alert(1)</script>", `"}' ; rm -rf / #`, "a b", "$(id)", "`id`", "a\nb", "'", `"`, strings.Repeat("x", 257),
	} {
		got := d.send("GET", "/invitations/accept?token="+url.QueryEscape(token), "", "")
		require.Equal(t, 200, got.status)
		require.Contains(t, got.text, "&lt;token from the mail&gt;", "%q", token)
		if token != "" && token != "'" && token != `"` && token != "a b" {
			require.NotContains(t, got.text, token, "it must not reach a shell or the page")
		}
	}
}

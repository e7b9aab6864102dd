package gateway_test

import (
	"encoding/json"
	"io/fs"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

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

func TestInvitationPage(t *testing.T) {
	t.Parallel()
	d := newDoor(t, nil)
	got := d.send("GET", "/invitations/accept?token=aZ09-_", "", "")
	require.Equal(t, 200, got.status)
	require.Contains(t, got.text, `{"token":"aZ09-_"}`)
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

package gateway_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Mails name our pages, so people trust them: none of them leads elsewhere, whatever is added to its address.
func TestPagesSendNobodyElsewhere(t *testing.T) {
	t.Parallel()
	d := newDoor(t, nil)
	const evil = "evil.example"
	var paths []string
	for _, page := range []string{"/", "/verify-email", "/reset-password", "/invitations/accept", "/settings/notifications", "/docs/", "/openapi.json"} {
		for _, parameter := range []string{"redirect", "redirect_uri", "redirectUri", "next", "url", "returnTo", "continue", "token"} {
			for _, target := range []string{"https://" + evil, "//" + evil, `/\` + evil, "javascript:alert('" + evil + "')", "https://braid.example.com@" + evil} {
				paths = append(paths, page+"?"+parameter+"="+url.QueryEscape(target))
			}
		}
	}
	paths = append(paths, "//"+evil, "///"+evil, "//"+evil+"/..", "//"+evil+"/%2e%2e", `/\`+evil, "/%5c"+evil, "/%2f%2f"+evil,
		"/docs//"+evil, "//"+evil+"/docs", "/docs/..//"+evil)
	for _, path := range paths {
		got := d.send("GET", path, "", "", "X-Forwarded-Host", evil, "Forwarded", "host="+evil, "Referer", "https://"+evil+"/")
		if location := got.header.Get("Location"); location != "" {
			target, err := url.Parse(location)
			require.NoError(t, err)
			require.Empty(t, target.Host, "%s leads to %s", path, location)
			require.Empty(t, target.Scheme, "%s leads to %s", path, location)
			require.False(t, strings.HasPrefix(location, "//") || strings.HasPrefix(location, `/\`), "%s leads to %s", path, location)
		}
		require.Empty(t, got.header.Get("Refresh"), path)
		if got.status == http.StatusOK {
			require.NotContains(t, got.text, evil, path)
			require.NotContains(t, got.text, "http-equiv", path)
		}
	}
}

// The addresses on our pages are those of the setting, not of whoever asked: or a cache would keep the wrong ones.
func TestAPageDoesNotRepeatTheHostItWasAskedBy(t *testing.T) {
	t.Parallel()
	d := newDoor(t, nil)
	for _, path := range []string{"/", "/reset-password?token=abc", "/invitations/accept?token=abc", "/openapi.json"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.URL+path, nil)
		require.NoError(t, err)
		request.Host = "evil.example"
		got := d.do(request)
		require.Equal(t, http.StatusOK, got.status, path)
		require.NotContains(t, got.text, "evil.example", path)
		require.Empty(t, got.header.Get("Location"), path)
	}
}

// No answer sets a cookie, so there is nothing that another site could make a browser send along; and none lets another
// site send what the browser knows by itself.
func TestNoAnswerSetsACookie(t *testing.T) {
	t.Parallel()
	d := newDoor(t, nil)
	token, _ := d.signIn()
	for _, request := range [][2]string{
		{"GET", "/"}, {"GET", "/docs/"}, {"GET", "/openapi.json"}, {"GET", "/reset-password?token=abc"}, {"GET", "/nothing"}, {"POST", "/api/v1/auth/login"},
		{"POST", "/api/v1/auth/refresh"}, {"GET", "/api/v1/me"}, {"OPTIONS", "/api/v1/me"}, {"GET", "/readyz"}, {"GET", "/.well-known/jwks.json"},
	} {
		for _, who := range []string{"", token} {
			got := d.send(request[0], request[1], who, "", "Origin", "https://evil.example", "Cookie", "session=planted")
			require.Empty(t, got.header.Values("Set-Cookie"), request)
			require.NotEqual(t, "true", got.header.Get("Access-Control-Allow-Credentials"), request)
		}
	}
}

// A token in a cookie is none: nobody is signed in by what a browser sends along by itself.
func TestACookieIsNoToken(t *testing.T) {
	t.Parallel()
	d := newDoor(t, nil)
	token, _ := d.signIn()
	require.Equal(t, http.StatusOK, d.send("GET", "/api/v1/me", token, "").status, "the token itself is good")
	for _, cookie := range []string{"Authorization=Bearer " + token, "access_token=" + token, "session=" + token} {
		require.Equal(t, http.StatusUnauthorized, d.send("GET", "/api/v1/me", "", "", "Cookie", cookie).status, cookie)
	}
	require.Equal(t, 1, d.recorders["identity"].count())
}

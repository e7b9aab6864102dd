// Package oidctest runs an OpenID provider that is not ours, npm's oidc-provider, and walks through its login pages as a
// browser does. It is for tests only.
package oidctest

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What the provider knows Braid by.
const (
	ClientID     = "braid"
	ClientSecret = "the client's secret at the provider"
)

// Account is a person at the provider, whose id is the name they log in with.
type Account struct {
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified"`
	Name          string `json:"name,omitempty"`
}

// Provider is one that runs.
type Provider struct {
	Issuer string

	t      testing.TB
	input  io.Writer
	output *bufio.Reader
}

// Start runs a provider until the test ends. The browser may be sent back to redirectURI.
func Start(t testing.TB, redirectURI string, accounts map[string]Account) *Provider {
	t.Helper()
	directory := filepath.Join(root(t), "tools", "oidc")
	require.DirExists(t, filepath.Join(directory, "node_modules"), "make test installs what this needs: npm ci --prefix tools/oidc")
	setup, err := json.Marshal(map[string]any{
		"accounts": accounts,
		"client":   map[string]any{"client_id": ClientID, "client_secret": ClientSecret, "redirect_uris": []string{redirectURI}},
	})
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), "node", "provider.mjs", string(setup))
	command.Dir, command.WaitDelay = directory, time.Second
	input, err := command.StdinPipe()
	require.NoError(t, err)
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = input.Close()
		_ = command.Wait() // It is killed with the test's context; how it ended says nothing.
	})
	provider := &Provider{t: t, input: input, output: bufio.NewReader(output)}
	line, err := provider.output.ReadString('\n')
	require.NoError(t, err, "the provider did not start")
	require.NoError(t, json.Unmarshal([]byte(line), provider))
	return provider
}

func root(t testing.TB) string {
	t.Helper()
	directory, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(directory, "go.mod")); err == nil {
			return directory
		}
		require.NotEqual(t, "/", directory, "the test is in no module")
		directory = filepath.Dir(directory)
	}
}

// Rotate exchanges the key that signs ID tokens; Hang stops the provider from answering, until Go.
func (p *Provider) Rotate() { p.obey("rotate") }

// Hang stops the provider from answering.
func (p *Provider) Hang() { p.obey("hang") }

// Go has the provider answer again.
func (p *Provider) Go() { p.obey("go") }

func (p *Provider) obey(order string) {
	p.t.Helper()
	_, err := io.WriteString(p.input, order+"\n")
	require.NoError(p.t, err)
	line, err := p.output.ReadString('\n')
	require.NoError(p.t, err)
	require.Equal(p.t, "done\n", line)
}

var formAction = regexp.MustCompile(`<form [^>]*action="([^"]+)"`)

// maxPages is more than the provider has.
const maxPages = 12

// LogIn opens an authorization URL in a browser of its own, logs in, agrees, and returns the parameters that the browser is
// sent back with. It does not open the page of ours.
func (p *Provider) LogIn(authorizationURL, name string) url.Values {
	p.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(p.t, err)
	browser := &http.Client{
		Jar: jar, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer browser.CloseIdleConnections()
	at, form := authorizationURL, url.Values(nil)
	for range maxPages {
		var response *http.Response
		if form == nil {
			response, err = browser.Get(at) //nolint:noctx // The client has a timeout.
		} else {
			response, err = browser.PostForm(at, form) //nolint:noctx // The client has a timeout.
		}
		require.NoError(p.t, err)
		page, err := io.ReadAll(response.Body)
		require.NoError(p.t, err)
		require.NoError(p.t, response.Body.Close())
		if location, err := response.Location(); err == nil {
			if !strings.HasPrefix(location.String(), p.Issuer+"/") {
				return location.Query()
			}
			at, form = location.String(), nil
			continue
		}
		require.Equal(p.t, http.StatusOK, response.StatusCode, "%s", page)
		found := formAction.FindSubmatch(page)
		require.NotNil(p.t, found, "%s", page)
		next, err := response.Request.URL.Parse(string(found[1]))
		require.NoError(p.t, err)
		at, form = next.String(), url.Values{"prompt": {"consent"}}
		if strings.Contains(string(page), `name="password"`) {
			form = url.Values{"prompt": {"login"}, "login": {name}, "password": {"any"}}
		}
	}
	p.t.Fatal("the provider's pages have no end")
	return nil
}

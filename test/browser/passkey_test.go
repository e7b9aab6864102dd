// Package browser shows what only a real browser can: it runs Braid and a Chromium.
package browser_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/test/client"
	"github.com/braidhq/braid/test/deployment"
)

// The page that asks is Braid's own: only its origin is allowed to. A laptop's is localhost.
func TestPasskeysOfChromium(t *testing.T) {
	t.Parallel()
	program := os.Getenv("BRAID_TEST_BROWSER")
	if program == "" {
		t.Skip("needs Chromium: run make browser, which sets BRAID_TEST_BROWSER")
	}
	// Not below the test's own directory: the unprivileged PostgreSQL must be able to pass through.
	directory, err := os.MkdirTemp("", "braid-browser-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	running, err := deployment.StartAllInOne(t.Context(), deployment.Options{Directory: directory})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, running.Stop()) })
	api := client.New(running.URL, running.AdminURL)
	ada, err := api.SignUp(t.Context(), "Ada")
	require.NoError(t, err)
	call := func(who *client.Person, path string, body map[string]any) client.Answer {
		t.Helper()
		answer, err := api.Do(t.Context(), who, http.MethodPost, path, body)
		require.NoError(t, err)
		return answer
	}
	must := func(who *client.Person, path string, body map[string]any) client.Answer {
		t.Helper()
		answer := call(who, path, body)
		require.Equal(t, http.StatusOK, answer.Status, "%s: %s", path, answer.Raw)
		return answer
	}

	browser := startChromium(t, program)
	browser.open(strings.Replace(running.URL, "127.0.0.1", "localhost", 1) + "/")
	authenticator := browser.addAuthenticator()
	begun := must(ada, "/api/v1/me/passkeys:begin", map[string]any{})
	made := browser.credential("create", "parseCreationOptionsFromJSON", begun.Value("publicKey"))
	finished := must(ada, "/api/v1/me/passkeys:finish", map[string]any{"credential": made, "name": "Laptop"})
	require.Equal(t, "PASSKEY", finished.Text("factor.kind"))
	codes, _ := finished.Value("backupCodes").([]any)
	require.Len(t, codes, 10)

	show := func(challengeToken string) map[string]any {
		begun := must(nil, "/api/v1/auth/passkey:begin", map[string]any{"challengeToken": challengeToken})
		return browser.credential("get", "parseRequestOptionsFromJSON", begun.Value("publicKey"))
	}
	login := must(nil, "/api/v1/auth/passkey:finish", map[string]any{"credential": show("")})
	require.Equal(t, ada.ID, login.Text("user.id"), "logged in without a password")

	refused := call(nil, "/api/v1/auth/login", map[string]any{"email": ada.Email, "password": ada.Password})
	require.Equal(t, http.StatusUnauthorized, refused.Status)
	details, _ := refused.Value("error.details").([]any)
	info, _ := details[0].(map[string]any)
	require.Equal(t, "FACTOR_REQUIRED", info["reason"])
	facts, _ := info["metadata"].(map[string]any)
	challengeToken, _ := facts["challengeToken"].(string)
	login = must(nil, "/api/v1/auth/passkey:finish", map[string]any{"credential": show(challengeToken), "challengeToken": challengeToken})
	require.Equal(t, ada.ID, login.Text("user.id"), "logged in with two factors")
	raised := must(&client.Person{Token: login.Text("accessToken")}, "/api/v1/auth/step-up", map[string]any{"credential": show("")})
	require.NotEmpty(t, raised.Text("accessToken"))

	// Without its user being verified a passkey is no login by itself: the browser knows that it need not ask Braid.
	browser.do("WebAuthn.setUserVerified", map[string]any{"authenticatorId": authenticator, "isUserVerified": false}, nil)
	begun = must(nil, "/api/v1/auth/passkey:begin", map[string]any{})
	require.Contains(t, browser.ask("get", "parseRequestOptionsFromJSON", begun.Value("publicKey")), "NotAllowedError")
}

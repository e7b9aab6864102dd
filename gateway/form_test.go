package gateway_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/gateway"
)

// The endpoints of OAuth 2 go to identity as they are, within the budget for guessing.
func TestFormsGoToIdentity(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(environment *gateway.Environment) { environment.Config.AuthRate = 2 })
	form := []string{"Content-Type", "application/x-www-form-urlencoded", "X-Forwarded-For", "203.0.113.9"}
	for range 2 {
		answer := d.send(http.MethodPost, "/oauth2/token", "", "grant_type=client_credentials", form...)
		require.Equal(t, http.StatusOK, answer.status, answer.text)
		require.Equal(t, "no-store", answer.header.Get("Cache-Control"))
	}
	passed := d.recorders["identity"].last(t)
	require.Equal(t, "application/x-www-form-urlencoded", passed.Header.Get("Content-Type"))
	require.Equal(t, "127.0.0.1", passed.Header.Get("X-Forwarded-For"), "what the client said of itself is gone")
	require.NotEmpty(t, passed.Header.Get("Braid-Forwarded-By"))
	limited := d.send(http.MethodPost, "/oauth2/introspect", "", "token=x", form...)
	require.Equal(t, http.StatusTooManyRequests, limited.status, "they share the budget: %s", limited.text)
	require.Equal(t, 2, d.recorders["identity"].count())
	require.Equal(t, http.StatusOK, d.send(http.MethodGet, "/.well-known/oauth-authorization-server", "", "").status)
	require.Equal(t, http.StatusMethodNotAllowed, d.send(http.MethodGet, "/oauth2/token", "", "").status)
	require.Equal(t, http.StatusNotFound, d.send(http.MethodPost, "/oauth2/other", "", "", form...).status)
}

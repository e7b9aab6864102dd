package gateway_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/gateway"
	"github.com/braidhq/braid/platform/rpc"
)

// Whatever can be guessed with is in the strict budget, whichever service of the contract it belongs to.
func TestGuessingIsLimitedWhereverItCanBeDone(t *testing.T) {
	t.Parallel()
	methods, err := rpc.Catalog()
	require.NoError(t, err)
	var strict []string
	for _, method := range methods {
		if method.Guessable && method.HTTPMethod == http.MethodPost {
			strict = append(strict, method.Path)
		}
	}
	require.Subset(t, strict, []string{
		"/api/v1/auth/login", "/api/v1/auth/login:factor", "/api/v1/auth/passkey:begin", "/api/v1/auth/passkey:finish",
		"/api/v1/auth/password:forgot", "/api/v1/auth/password:reset", "/api/v1/auth/email:verify", "/api/v1/auth/email:resendVerification",
		"/api/v1/auth/oidc:begin", "/api/v1/auth/oidc:finish", "/api/v1/auth/sso:discover", "/api/v1/auth/register", "/api/v1/auth/refresh",
	})
	for _, path := range strict {
		d := newDoor(t, func(e *gateway.Environment) { e.Config.AuthRate = 1 })
		require.Equal(t, 200, d.send("POST", path, "", "{}").status, path)
		require.Equal(t, 429, d.send("POST", path, "", "{}").status, path)
		require.Equal(t, 200, d.send("GET", "/.well-known/jwks.json", "", "").status, "what can't be guessed with is not in it")
	}
}

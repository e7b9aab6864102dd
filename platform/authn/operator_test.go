package authn_test

import (
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

func TestAnOperatorsTokenSaysItsRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for text, role := range map[string]call.OperatorRole{
		"admin": call.OperatorAdmin, "support": call.OperatorSupport, "system": call.OperatorSystem, "": 0, "root": 0,
	} {
		claims := w.claims()
		claims.Operator = text
		actor, err := w.workflow.AuthenticateUser(t.Context(), w.token(t, claims))
		require.NoError(t, err)
		require.Equal(t, role, actor.Operator, text)
	}
}

// Only a person's access token, signed by identity, can carry a role.
func TestAForgedOperatorIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claims := w.claims()
	claims.Operator = "admin"
	for name, token := range map[string]string{
		"of a service's key":  sign(t, jwt.SigningMethodEdDSA, w.gateway, authn.AccessTokenType, "gateway-1", claims),
		"of identity's name":  sign(t, jwt.SigningMethodEdDSA, w.gateway, authn.AccessTokenType, "one", claims),
		"a service's token":   sign(t, jwt.SigningMethodEdDSA, w.gateway, authn.ServiceTokenType, "gateway-1", claims),
		"without a signature": sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, authn.AccessTokenType, "one", claims),
	} {
		_, err := w.workflow.AuthenticateUser(t.Context(), token)
		require.Equal(t, errs.Unauthenticated, errs.KindOf(err), name)
	}

	forService := struct {
		jwt.RegisteredClaims
		SessionID string `json:"sid"`
		Operator  string `json:"braid_op"`
	}{claims.RegisteredClaims, claims.SessionID, "admin"}
	forService.Issuer, forService.Audience = "gateway", jwt.ClaimStrings{"workflow"}
	forService.ExpiresAt = jwt.NewNumericDate(w.clock.Now().Add(time.Minute))
	actor, err := w.workflow.AuthenticateService(t.Context(), sign(t, jwt.SigningMethodEdDSA, w.gateway, authn.ServiceTokenType, "gateway-1", forService))
	require.NoError(t, err)
	require.Zero(t, actor.Operator, "a service is no operator, whatever its token says")

	machine := w.claims()
	machine.SessionID, machine.Operator = "", "admin"
	machine.ID = id.New().String()
	machine.MachineClaims = authn.MachineClaims{ClientID: machine.Subject, OrganizationID: id.New().String(), KeyID: id.New().String(), MakerID: id.New().String(), Scope: "organization"}
	actor, err = w.workflow.AuthenticateUser(t.Context(), w.token(t, machine))
	require.NoError(t, err)
	require.Equal(t, call.ServiceAccount, actor.Kind)
	require.Zero(t, actor.Operator, "nor is a machine")
}

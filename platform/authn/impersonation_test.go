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

// acting are the claims of a token with which an operator acts in somebody's name.
func (w *world) acting() *authn.Claims {
	claims := w.claims()
	claims.Act = &authn.Act{Subject: id.New().String(), Operator: "support", Writes: true}
	claims.OrganizationID = id.New().String()
	claims.ExpiresAt = jwt.NewNumericDate(w.clock.Now().Add(authn.ImpersonationLife))
	return claims
}

func TestATokenNamesWhoActsInSomebodysName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claims := w.acting()
	actor, err := w.workflow.AuthenticateUser(t.Context(), w.token(t, claims))
	require.NoError(t, err)
	require.Equal(t, claims.Subject, actor.UserID.String())
	require.Equal(t, claims.Act.Subject, actor.ImpersonatorID.String())
	require.Equal(t, &call.Impersonation{
		ID: id.MustParse(claims.SessionID), OrganizationID: id.MustParse(claims.OrganizationID), OperatorRole: call.OperatorSupport, Writes: true,
	}, actor.Impersonation)
	require.Zero(t, actor.Operator)
}

func TestAForgedActIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, change := range map[string]func(*authn.Claims){
		"of a machine": func(claims *authn.Claims) {
			claims.ClientID, claims.KeyID, claims.SessionID, claims.ID = claims.Subject, id.New().String(), "", id.New().String()
		},
		"of a machine with a session": func(claims *authn.Claims) { claims.ClientID = claims.Subject },
		"with a key":                  func(claims *authn.Claims) { claims.KeyID = id.New().String() },
		"without an operator":         func(claims *authn.Claims) { claims.Act.Subject = "" },
		"of no role":                  func(claims *authn.Claims) { claims.Act.Operator = "root" },
		"with a role of its own":      func(claims *authn.Claims) { claims.Operator = "admin" },
		"in no organization":          func(claims *authn.Claims) { claims.OrganizationID = "" },
		"without a session":           func(claims *authn.Claims) { claims.SessionID = "" },
		"of themselves":               func(claims *authn.Claims) { claims.Act.Subject = claims.Subject },
	} {
		claims := w.acting()
		change(claims)
		_, err := w.workflow.AuthenticateUser(t.Context(), w.token(t, claims))
		require.Equal(t, errs.Unauthenticated, errs.KindOf(err), name)
	}
	for name, token := range map[string]string{
		"of a service's key": sign(t, jwt.SigningMethodEdDSA, w.gateway, authn.AccessTokenType, "gateway-1", w.acting()),
		"a service's token":  sign(t, jwt.SigningMethodEdDSA, w.gateway, authn.ServiceTokenType, "gateway-1", w.acting()),
	} {
		_, err := w.workflow.AuthenticateUser(t.Context(), token)
		require.Equal(t, errs.Unauthenticated, errs.KindOf(err), name)
	}
	forService := struct {
		jwt.RegisteredClaims
		Act *authn.Act `json:"act"`
	}{w.claims().RegisteredClaims, &authn.Act{Subject: id.New().String(), Operator: "admin", Writes: true}}
	forService.Issuer, forService.Audience = "gateway", jwt.ClaimStrings{"workflow"}
	forService.ExpiresAt = jwt.NewNumericDate(w.clock.Now().Add(time.Minute))
	actor, err := w.workflow.AuthenticateService(t.Context(), sign(t, jwt.SigningMethodEdDSA, w.gateway, authn.ServiceTokenType, "gateway-1", forService))
	require.NoError(t, err)
	require.True(t, actor.ImpersonatorID.IsZero(), "a service acts in nobody's name, whatever its token says")
	require.Nil(t, actor.Impersonation)
}

// A process forgets ended sessions after ten minutes, and such a token is good for thirty: identity is asked.
func TestIdentityIsAskedAboutEachImpersonation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claims := w.acting()
	token := w.token(t, claims)
	for range 3 {
		_, err := w.workflow.AuthenticateUser(t.Context(), token)
		require.NoError(t, err)
	}
	require.Equal(t, 1, w.asked, "at most once a second, also while nothing was missed")
	w.clock.Advance(time.Second)
	w.change(func() { w.askFail = errDown })
	_, err := w.workflow.AuthenticateUser(t.Context(), token)
	requireKind(t, err, errs.Unavailable)
	w.change(func() { w.askFail, w.ended[id.MustParse(claims.SessionID)] = nil, true })
	_, err = w.workflow.AuthenticateUser(t.Context(), token)
	requireKind(t, err, errs.Unauthenticated)
}

package authn_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

func TestGoodTokenNamesItsUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claims := w.claims()
	token := w.token(t, claims)
	for range 2 {
		actor, err := w.AuthenticateUser(t.Context(), token)
		require.NoError(t, err)
		require.Equal(t, call.Actor{Kind: call.User, UserID: id.MustParse(claims.Subject), SessionID: id.MustParse(claims.SessionID), Token: token}, actor)
	}
	require.Equal(t, 1, w.fetches)
	require.Zero(t, w.asked, "a fresh process does not ask")
}

func TestBadTokensAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	with := func(change func(*authn.Claims)) *authn.Claims {
		claims := w.claims()
		change(claims)
		return claims
	}
	good := w.token(t, w.claims())
	head, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt","kid":"one"}`))
	public := w.key.Public().(ed25519.PublicKey)
	for name, token := range map[string]string{
		"empty":            "",
		"rubbish":          "a.b.c",
		"no signature":     head + "." + payload + ".",
		"alg none":         none + "." + payload + ".",
		"alg none, signed": none + "." + payload + "." + signature,
		"altered":          head + "." + payload[:len(payload)-2] + "AA." + signature,
		"huge":             good + strings.Repeat("A", 5000),
		"other key":        sign(t, jwt.SigningMethodEdDSA, newKey(t), authn.AccessTokenType, "one", w.claims()),
		"hmac by public":   sign(t, jwt.SigningMethodHS256, []byte(public), authn.AccessTokenType, "one", w.claims()),
		"rsa":              sign(t, jwt.SigningMethodRS256, rsaKey, authn.AccessTokenType, "one", w.claims()),
		"wrong type":       sign(t, jwt.SigningMethodEdDSA, w.key, "JWT", "one", w.claims()),
		"service type":     sign(t, jwt.SigningMethodEdDSA, w.key, authn.ServiceTokenType, "one", w.claims()),
		"no key id":        sign(t, jwt.SigningMethodEdDSA, w.key, authn.AccessTokenType, "", w.claims()),
		"unknown key id":   sign(t, jwt.SigningMethodEdDSA, w.key, authn.AccessTokenType, "two", w.claims()),
		"service's key":    sign(t, jwt.SigningMethodEdDSA, w.gateway, authn.AccessTokenType, "gateway-1", w.claims()),
		"audience":         w.token(t, with(func(c *authn.Claims) { c.Audience = jwt.ClaimStrings{"other"} })),
		"no audience":      w.token(t, with(func(c *authn.Claims) { c.Audience = nil })),
		"issuer":           w.token(t, with(func(c *authn.Claims) { c.Issuer = "other" })),
		"expired":          w.token(t, with(func(c *authn.Claims) { c.ExpiresAt = jwt.NewNumericDate(w.clock.Now().Add(-time.Second)) })),
		"no expiry":        w.token(t, with(func(c *authn.Claims) { c.ExpiresAt = nil })),
		"not yet":          w.token(t, with(func(c *authn.Claims) { c.NotBefore = jwt.NewNumericDate(w.clock.Now().Add(time.Minute)) })),
		"of the future":    w.token(t, with(func(c *authn.Claims) { c.IssuedAt = jwt.NewNumericDate(w.clock.Now().Add(time.Minute)) })),
		"no user":          w.token(t, with(func(c *authn.Claims) { c.Subject = "" })),
		"user no id":       w.token(t, with(func(c *authn.Claims) { c.Subject = "ada" })),
		"no session":       w.token(t, with(func(c *authn.Claims) { c.SessionID = "" })),
	} {
		_, err := w.AuthenticateUser(t.Context(), token)
		require.Error(t, err, name)
		require.Equal(t, errs.Unauthenticated, errs.KindOf(err), "%s: %v", name, err)
		require.Equal(t, "TOKEN_INVALID", errs.From(err).Reason, name)
	}
}

func TestCachedTokenExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t, w.claims())
	_, err := w.AuthenticateUser(t.Context(), token)
	require.NoError(t, err)
	w.clock.Advance(authn.AccessTokenLife - time.Second)
	_, err = w.AuthenticateUser(t.Context(), token)
	require.NoError(t, err)
	w.clock.Advance(time.Second)
	for range 2 {
		_, err = w.AuthenticateUser(t.Context(), token)
		requireKind(t, err, errs.Unauthenticated)
	}
}

// Strangers can make up key ids; they must not make us ask identity for each.
func TestUnknownKeyIsFetchedOnceInAWhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	unknown := func() string { return sign(t, jwt.SigningMethodEdDSA, w.key, authn.AccessTokenType, "two", w.claims()) }
	var group sync.WaitGroup
	for range 20 {
		token := unknown()
		group.Go(func() {
			_, err := w.AuthenticateUser(t.Context(), token)
			if errs.KindOf(err) != errs.Unauthenticated {
				t.Error(err)
			}
		})
	}
	group.Wait()
	require.Equal(t, 1, w.fetches)

	// Identity's new key is found, once it may be looked for again.
	next := newKey(t)
	w.change(func() { w.keys["two"] = next.Public().(ed25519.PublicKey) })
	token := sign(t, jwt.SigningMethodEdDSA, next, authn.AccessTokenType, "two", w.claims())
	w.clock.Advance(5 * time.Second)
	_, err := w.AuthenticateUser(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, 2, w.fetches)
}

// While identity is down, nobody knows whether an unknown key is good: the answer is "later", at once, and identity is
// not hammered. Keys that are known stay good.
func TestKeysThatCannotBeFetchedAreUnavailable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.change(func() { w.fetchFail = errDown })
	token := w.token(t, w.claims())
	for range 10 {
		_, err := w.AuthenticateUser(t.Context(), token)
		requireKind(t, err, errs.Unavailable)
	}
	require.Equal(t, 1, w.fetches)
	w.change(func() { w.fetchFail = nil })
	w.clock.Advance(time.Second)
	_, err := w.AuthenticateUser(t.Context(), token)
	require.NoError(t, err)

	w.change(func() { w.fetchFail = errDown })
	w.clock.Advance(time.Minute)
	_, err = w.AuthenticateUser(t.Context(), w.token(t, w.claims()))
	require.NoError(t, err)
	_, err = w.AuthenticateUser(t.Context(), sign(t, jwt.SigningMethodEdDSA, w.key, authn.AccessTokenType, "two", w.claims()))
	requireKind(t, err, errs.Unavailable)
}

func TestServiceTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	signer := authn.NewSigner("gateway", "gateway-1", w.gateway, w.clock)
	token, err := signer.Token("workflow")
	require.NoError(t, err)
	again, err := signer.Token("workflow")
	require.NoError(t, err)
	require.Equal(t, token, again, "a young token is used again")
	actor, err := w.workflow.AuthenticateService(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, call.Actor{Kind: call.Service, Service: "gateway"}, actor)

	identity, err := w.For("identity")
	require.NoError(t, err)
	_, err = identity.AuthenticateService(t.Context(), token)
	requireKind(t, err, errs.Unauthenticated)
	_, err = w.AuthenticateUser(t.Context(), token)
	requireKind(t, err, errs.Unauthenticated)
	_, err = w.workflow.AuthenticateService(t.Context(), w.token(t, w.claims()))
	requireKind(t, err, errs.Unauthenticated)

	w.clock.Advance(30 * time.Second)
	again, err = signer.Token("workflow")
	require.NoError(t, err)
	require.NotEqual(t, token, again)
	w.clock.Advance(30 * time.Second)
	_, err = w.workflow.AuthenticateService(t.Context(), token)
	requireKind(t, err, errs.Unauthenticated)
	_, err = w.workflow.AuthenticateService(t.Context(), again)
	require.NoError(t, err)
}

func TestBadServiceTokensAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := w.clock.Now()
	claims := func(change func(*jwt.RegisteredClaims)) jwt.RegisteredClaims {
		made := jwt.RegisteredClaims{
			Issuer: "gateway", Audience: jwt.ClaimStrings{"workflow"},
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute)),
		}
		change(&made)
		return made
	}
	asIs := func(*jwt.RegisteredClaims) {}
	signWith := func(key ed25519.PrivateKey, keyID, kind string, change func(*jwt.RegisteredClaims)) string {
		return sign(t, jwt.SigningMethodEdDSA, key, kind, keyID, claims(change))
	}
	_, err := w.workflow.AuthenticateService(t.Context(), signWith(w.gateway, "gateway-1", authn.ServiceTokenType, asIs))
	require.NoError(t, err, "the example itself is good")
	for name, token := range map[string]string{
		"other key":      signWith(newKey(t), "gateway-1", authn.ServiceTokenType, asIs),
		"user key":       signWith(w.key, "one", authn.ServiceTokenType, asIs),
		"unknown key":    signWith(w.gateway, "gateway-2", authn.ServiceTokenType, asIs),
		"wrong type":     signWith(w.gateway, "gateway-1", authn.AccessTokenType, asIs),
		"another's name": signWith(w.gateway, "gateway-1", authn.ServiceTokenType, func(c *jwt.RegisteredClaims) { c.Issuer = "identity" }),
		"other audience": signWith(w.gateway, "gateway-1", authn.ServiceTokenType, func(c *jwt.RegisteredClaims) { c.Audience = jwt.ClaimStrings{"audit"} }),
		"no audience":    signWith(w.gateway, "gateway-1", authn.ServiceTokenType, func(c *jwt.RegisteredClaims) { c.Audience = nil }),
		"too long-lived": signWith(w.gateway, "gateway-1", authn.ServiceTokenType, func(c *jwt.RegisteredClaims) { c.ExpiresAt = jwt.NewNumericDate(now.Add(61 * time.Second)) }),
		"no beginning":   signWith(w.gateway, "gateway-1", authn.ServiceTokenType, func(c *jwt.RegisteredClaims) { c.IssuedAt = nil }),
		"no end":         signWith(w.gateway, "gateway-1", authn.ServiceTokenType, func(c *jwt.RegisteredClaims) { c.ExpiresAt = nil }),
		"of the future":  signWith(w.gateway, "gateway-1", authn.ServiceTokenType, func(c *jwt.RegisteredClaims) { c.IssuedAt = jwt.NewNumericDate(now.Add(30 * time.Second)) }),
		"hmac by public": sign(t, jwt.SigningMethodHS256, []byte(w.gateway.Public().(ed25519.PublicKey)), authn.ServiceTokenType, "gateway-1", claims(asIs)),
	} {
		_, err := w.workflow.AuthenticateService(t.Context(), token)
		require.Error(t, err, name)
		require.Equal(t, errs.Unauthenticated, errs.KindOf(err), name)
	}
}

// FuzzToken: whatever the token, only one that was signed here is good, and nothing panics.
func FuzzToken(f *testing.F) {
	w := newWorld(f)
	good := w.token(f, w.claims())
	service, err := authn.NewSigner("gateway", "gateway-1", w.gateway, w.clock).Token("workflow")
	require.NoError(f, err)
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt","kid":"one"}`))
	for _, seed := range []string{"", good, service, none + good[strings.Index(good, "."):], good[:len(good)-1], "a.b.c", "...", "e30.e30.", good + "."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		actor, err := w.AuthenticateUser(t.Context(), token)
		switch {
		case err == nil:
			require.Equal(t, signed(good), signed(token))
			require.Equal(t, call.User, actor.Kind)
		default:
			requireKind(t, err, errs.Unauthenticated)
		}
		actor, err = w.workflow.AuthenticateService(t.Context(), token)
		switch {
		case err == nil:
			require.Equal(t, signed(service), signed(token))
			require.Equal(t, call.Service, actor.Kind)
		default:
			requireKind(t, err, errs.Unauthenticated)
		}
	})
}

// signed is the part of a token that its signature covers.
func signed(token string) string { return token[:max(0, strings.LastIndexByte(token, '.'))] }

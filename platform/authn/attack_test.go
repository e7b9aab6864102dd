package authn_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// forge signs with whatever header somebody may think of.
func forge(t *testing.T, method jwt.SigningMethod, key any, header map[string]any, claims jwt.Claims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	token.Header["typ"], token.Header["kid"] = authn.AccessTokenType, "one"
	for name, value := range header {
		token.Header[name] = value
		if value == nil {
			delete(token.Header, name)
		}
	}
	text, err := token.SignedString(key)
	require.NoError(t, err)
	return text
}

func (w *world) refuses(t *testing.T, name, token string) {
	t.Helper()
	_, err := w.AuthenticateUser(t.Context(), token)
	require.Equal(t, errs.Unauthenticated, errs.KindOf(err), "%s: %v", name, err)
}

// The public key is public: a verifier that takes the token's word for the algorithm would take it for a shared secret,
// in whatever form it was published.
func TestPublicKeyIsNoSharedSecretInAnyForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	public := w.key.Public().(ed25519.PublicKey)
	der, err := x509.MarshalPKIXPublicKey(public)
	require.NoError(t, err)
	x := base64.RawURLEncoding.EncodeToString(public)
	jwk, err := json.Marshal(map[string]string{"kty": "OKP", "crv": "Ed25519", "kid": "one", "x": x})
	require.NoError(t, err)
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	for form, secret := range map[string][]byte{
		"raw": public, "DER": der, "PEM": block, "PEM without its last line break": block[:len(block)-1], "base64url": []byte(x), "JWK": jwk, "nothing": {},
	} {
		for _, method := range []jwt.SigningMethod{jwt.SigningMethodHS256, jwt.SigningMethodHS384, jwt.SigningMethodHS512} {
			w.refuses(t, form+" by "+method.Alg(), forge(t, method, secret, nil, w.claims()))
			w.refuses(t, form+" by "+method.Alg()+", called EdDSA", forge(t, method, secret, map[string]any{"alg": "EdDSA"}, w.claims()))
		}
	}
	for _, spelling := range []string{"none", "None", "NONE", "nOnE", ""} {
		w.refuses(t, "alg "+spelling, forge(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, map[string]any{"alg": spelling}, w.claims()))
	}
}

// A token may say where its key is to be found, or bring it along. Nobody looks.
func TestKeysThatATokenBringsAreNotUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mine := newKey(t)
	jwk := map[string]string{"kty": "OKP", "crv": "Ed25519", "kid": "one", "x": base64.RawURLEncoding.EncodeToString(mine.Public().(ed25519.PublicKey))}
	for name, header := range map[string]map[string]any{
		"a key of its own":         {"jwk": jwk},
		"and another name for it":  {"jwk": jwk, "kid": "mine"},
		"and no name for it":       {"jwk": jwk, "kid": nil},
		"where to fetch it":        {"jku": "https://evil.example/jwks.json", "kid": "mine"},
		"a certificate":            {"x5c": []string{base64.StdEncoding.EncodeToString(mine.Public().(ed25519.PublicKey))}},
		"where the certificate is": {"x5u": "https://evil.example/key.pem"},
		"a path":                   {"kid": "../../../../dev/null"},
		"a statement":              {"kid": "one' union select 'x"},
		"a list of names":          {"kid": []string{"one"}},
		"a number":                 {"kid": 1},
		"an object":                {"kid": map[string]any{"one": true}},
	} {
		w.refuses(t, name, forge(t, jwt.SigningMethodEdDSA, mine, header, w.claims()))
	}
	require.LessOrEqual(t, w.fetches, 2, "and identity is not asked for each")
}

// Two keys are known while they rotate; a name is that of one of them.
func TestATokenIsGoodUnderTheNameOfItsOwnKeyOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	next := newKey(t)
	w.change(func() { w.keys["two"] = next.Public().(ed25519.PublicKey) })
	for keyID, key := range map[string]ed25519.PrivateKey{"one": w.key, "two": next} {
		_, err := w.AuthenticateUser(t.Context(), sign(t, jwt.SigningMethodEdDSA, key, authn.AccessTokenType, keyID, w.claims()))
		require.NoError(t, err)
	}
	w.refuses(t, "the old key by the new name", sign(t, jwt.SigningMethodEdDSA, w.key, authn.AccessTokenType, "two", w.claims()))
	w.refuses(t, "the new key by the old name", sign(t, jwt.SigningMethodEdDSA, next, authn.AccessTokenType, "one", w.claims()))
	w.refuses(t, "another case", sign(t, jwt.SigningMethodEdDSA, w.key, authn.AccessTokenType, "ONE", w.claims()))
}

// A service can sign for itself. It can't sign for identity, whatever it writes into the token, nor identity for it.
func TestOneIssuerDoesNotSpeakForAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := w.clock.Now()
	asUser := w.claims()
	for _, keyID := range []string{"gateway-1", "one"} {
		w.refuses(t, "a service as identity, key "+keyID, sign(t, jwt.SigningMethodEdDSA, w.gateway, authn.AccessTokenType, keyID, asUser))
	}
	for name, change := range map[string]func(*authn.Claims){
		"a service's name":        func(c *authn.Claims) { c.Issuer = "gateway" },
		"identity's short name":   func(c *authn.Claims) { c.Issuer = "identity" },
		"a longer name":           func(c *authn.Claims) { c.Issuer = authn.Issuer + "/" },
		"another case":            func(c *authn.Claims) { c.Issuer = "Braid/Identity" },
		"none":                    func(c *authn.Claims) { c.Issuer = "" },
		"a service as audience":   func(c *authn.Claims) { c.Audience = jwt.ClaimStrings{"workflow"} },
		"an audience's beginning": func(c *authn.Claims) { c.Audience = jwt.ClaimStrings{authn.Audience + "x"} },
	} {
		claims := w.claims()
		change(claims)
		w.refuses(t, name, w.token(t, claims))
	}
	asService := jwt.RegisteredClaims{
		Issuer: "gateway", Audience: jwt.ClaimStrings{"workflow"}, Subject: id.New().String(),
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute)),
	}
	_, err := w.workflow.AuthenticateService(t.Context(), sign(t, jwt.SigningMethodEdDSA, w.gateway, authn.ServiceTokenType, "gateway-1", asService))
	require.NoError(t, err, "the example itself is good")
	for _, keyID := range []string{"gateway-1", "one"} {
		_, err := w.workflow.AuthenticateService(t.Context(), sign(t, jwt.SigningMethodEdDSA, w.key, authn.ServiceTokenType, keyID, asService))
		requireKind(t, err, errs.Unauthenticated)
	}
}

// A header that a verifier must understand, or refuse (RFC 7515, 4.1.11), and types that are nearly right.
func TestHeadersThatAreNotUnderstoodAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.AuthenticateUser(t.Context(), forge(t, jwt.SigningMethodEdDSA, w.key, nil, w.claims()))
	require.NoError(t, err, "the example itself is good")
	for name, header := range map[string]map[string]any{
		"must be understood": {"crit": []string{"b64"}, "b64": false},
		"no type":            {"typ": nil},
		"another type":       {"typ": "JWT"},
		"a list of types":    {"typ": []string{authn.AccessTokenType}},
	} {
		w.refuses(t, name, forge(t, jwt.SigningMethodEdDSA, w.key, header, w.claims()))
	}
}

package token

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

const (
	maxAssertionLength = 8 << 10
	maxAssertionName   = 256
	// maxAssertionLife bounds how long the name of an assertion must be remembered.
	maxAssertionLife = 5 * time.Minute
	assertionLeeway  = 5 * time.Second
)

// assertionTypes are the types that an assertion may give itself. A token of ours, whose type differs, is none.
var assertionTypes = []string{"", "jwt", "client-authentication+jwt"}

// IssueMachine returns an access token for a service account's key, good for no longer than the key, and how long that is. Its
// issuer is the address that the metadata of OAuth 2 are found by.
func (i *Issuer) IssueMachine(ctx context.Context, issuer string, key domain.MachineCredential, scopes []string) (string, time.Duration, error) {
	now := i.clock.Now()
	life := min(authn.AccessTokenLife, key.ExpiresAt.Sub(now))
	clientID := key.Owner.ServiceAccountID.String()
	text, err := i.sign(ctx, authn.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    issuer,
			Audience:  jwt.ClaimStrings{authn.Audience},
			Subject:   clientID,
			ID:        id.New().String(),
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(life)),
		},
		MachineClaims: authn.MachineClaims{
			ClientID: clientID, OrganizationID: key.OrganizationID.String(), KeyID: key.ID.String(),
			Scope: strings.Join(scopes, " "), Networks: key.Networks, MakerID: key.CreatorID.String(),
		},
	})
	return text, life, err
}

// Assertion is what a client has signed to prove itself (RFC 7523 section 3).
type Assertion struct {
	text  string
	KeyID id.ID
	// ClientID is who it says has signed it.
	ClientID id.ID
}

// ReadAssertion finds out which client's key an assertion says it was signed with. It verifies nothing.
func ReadAssertion(text string) (Assertion, error) {
	if len(text) > maxAssertionLength {
		return Assertion{}, errors.New("the assertion is too long")
	}
	claims := &jwt.RegisteredClaims{}
	parsed, _, err := jwt.NewParser().ParseUnverified(text, claims)
	if err != nil {
		return Assertion{}, fmt.Errorf("read assertion: %w", err)
	}
	kind, _ := parsed.Header["typ"].(string)
	known := false
	for _, one := range assertionTypes {
		known = known || strings.EqualFold(one, kind)
	}
	if _, critical := parsed.Header["crit"]; critical || !known {
		return Assertion{}, errors.New("the assertion is of another type")
	}
	name, _ := parsed.Header["kid"].(string)
	keyID, keyErr := id.Parse(name)
	clientID, clientErr := id.Parse(claims.Issuer)
	return Assertion{text, keyID, clientID}, errors.Join(keyErr, clientErr)
}

// Verify holds the assertion to the key that it names, and returns the hash of its own name and until when that has to be
// remembered.
func (a Assertion) Verify(key domain.PublicKey, audiences []string, now time.Time) (hash []byte, until time.Time, err error) {
	public, method, err := openPublicKey(key)
	if err != nil {
		return nil, time.Time{}, err
	}
	claims := &jwt.RegisteredClaims{}
	_, err = jwt.NewParser(jwt.WithValidMethods([]string{method.Alg()}), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(assertionLeeway), jwt.WithTimeFunc(func() time.Time { return now }), jwt.WithIssuer(a.ClientID.String()),
		jwt.WithSubject(a.ClientID.String()), jwt.WithAudience(audiences...),
	).ParseWithClaims(a.text, claims, func(*jwt.Token) (any, error) { return public, nil })
	switch {
	case err != nil:
		return nil, time.Time{}, fmt.Errorf("verify assertion: %w", err)
	case claims.ID == "" || len(claims.ID) > maxAssertionName:
		return nil, time.Time{}, errors.New("the assertion has no name of its own")
	case claims.ExpiresAt.Sub(now) > maxAssertionLife+assertionLeeway:
		return nil, time.Time{}, errors.New("the assertion lives too long")
	}
	sum := sha256.Sum256([]byte(claims.ID))
	return sum[:], claims.ExpiresAt.Add(assertionLeeway), nil
}

package authn

import (
	"crypto/ed25519"
	"fmt"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
)

// Token types (RFC 9068 for access tokens): a token of one type is never good as another.
const (
	AccessTokenType   = "at+jwt"
	ServiceTokenType  = "svc+jwt"
	serviceTokenLife  = 60 * time.Second
	serviceTokenReuse = 30 * time.Second
)

// Signer mints the service tokens of one service: signed with its own key, good for one callee, for a minute.
type Signer struct {
	service string
	keyID   string
	key     ed25519.PrivateKey
	clock   clock.Clock

	mu     sync.Mutex
	minted map[string]mintedToken
}

type mintedToken struct {
	text   string
	minted time.Time
}

// NewSigner returns a signer for a service's key.
func NewSigner(service, keyID string, key ed25519.PrivateKey, clock clock.Clock) *Signer {
	return &Signer{service: service, keyID: keyID, key: key, clock: clock, minted: map[string]mintedToken{}}
}

// Token returns a token for calls to audience; one that is young enough is used again.
func (s *Signer) Token(audience string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	if last, ok := s.minted[audience]; ok && now.Sub(last.minted) < serviceTokenReuse && !now.Before(last.minted) {
		return last.text, nil
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.RegisteredClaims{
		Issuer:    s.service,
		Audience:  jwt.ClaimStrings{audience},
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(serviceTokenLife)),
		ID:        id.New().String(),
	})
	token.Header["typ"] = ServiceTokenType
	token.Header["kid"] = s.keyID
	text, err := token.SignedString(s.key)
	if err != nil {
		return "", fmt.Errorf("sign service token: %w", err)
	}
	s.minted[audience] = mintedToken{text, now}
	return text, nil
}

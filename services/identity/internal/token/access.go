// Package token owns the making of identity's tokens and codes: the keys that sign access tokens, refresh tokens and
// the seal on their answers, and the codes of registrations. It decides nothing about who gets one.
package token

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/secret"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
)

// ringLife is how old the keys may be that tokens are signed with; older ones are read again first. It is less than
// authn.KeyNotice, so every process has seen a key before it is time to sign with it.
const ringLife = 30 * time.Second

// Issuer signs access tokens with the key whose time it is. It is safe for use by several goroutines.
type Issuer struct {
	db      *pg.DB
	keys    *secret.Keys
	clock   clock.Clock
	current atomic.Pointer[ring]
}

// ring is the signing keys at one moment. Private holds those that sign, now or later.
type ring struct {
	keys    domain.SigningKeys
	private map[string]ed25519.PrivateKey
	read    time.Time
}

// NewIssuer returns an issuer without keys; Load, or the first Issue, gets it some.
func NewIssuer(db *pg.DB, keys *secret.Keys, clock clock.Clock) *Issuer {
	return &Issuer{db: db, keys: keys, clock: clock}
}

// Load reads the signing keys and makes the first when there is none; of several processes that start at once one makes
// it. A key that was sealed with other keys than the service has is an error, never replaced.
func (i *Issuer) Load(ctx context.Context) error {
	_, err := i.load(ctx)
	return err
}

func (i *Issuer) load(ctx context.Context) (*ring, error) {
	now := i.clock.Now()
	stored, err := store.ListSigningKeys(ctx, i.db.WorkerRead())
	if err == nil && len(stored) == 0 {
		stored, err = i.createFirst(ctx, now)
	}
	if err != nil {
		return nil, fmt.Errorf("load signing keys: %w", err)
	}
	loaded := &ring{keys: stored, private: map[string]ed25519.PrivateKey{}, read: now}
	signing, _ := stored.Current(now)
	for _, key := range stored {
		if loaded.private[key.ID], err = openKey(i.keys, key); err != nil {
			return nil, fmt.Errorf("load signing keys: %w", err)
		}
		if key.ID == signing.ID {
			break
		}
	}
	i.current.Store(loaded)
	return loaded, nil
}

func (i *Issuer) createFirst(ctx context.Context, now time.Time) (stored domain.SigningKeys, err error) {
	err = i.db.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		if stored, err = store.LockSigningKeys(ctx, tx); err != nil || len(stored) > 0 {
			return err
		}
		first, err := NewSigningKey(i.keys, now, now)
		if err != nil {
			return err
		}
		stored = domain.SigningKeys{first}
		return store.CreateSigningKey(ctx, tx, first)
	})
	return stored, err
}

// Keys returns the signing keys as they were read last.
func (i *Issuer) Keys() domain.SigningKeys {
	if current := i.current.Load(); current != nil {
		return current.keys
	}
	return nil
}

// signer returns the key that signs now.
func (i *Issuer) signer(ctx context.Context, now time.Time) (string, ed25519.PrivateKey, error) {
	current := i.current.Load()
	if current == nil || now.Sub(current.read) >= ringLife {
		var err error
		if current, err = i.load(ctx); err != nil {
			return "", nil, err
		}
	}
	key, _ := current.keys.Current(now)
	private := current.private[key.ID]
	if private == nil {
		return "", nil, errors.New("sign access token: there is no key of this time")
	}
	return key.ID, private, nil
}

// Issue returns an access token for a session; secured says whether its user has a second factor.
func (i *Issuer) Issue(ctx context.Context, session domain.Session, secured bool) (string, error) {
	now := i.clock.Now()
	claims := authn.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    authn.Issuer,
			Audience:  jwt.ClaimStrings{authn.Audience},
			Subject:   session.UserID.String(),
			ID:        id.New().String(),
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(authn.AccessTokenLife)),
		},
		SessionID: session.ID.String(),
		AuthTime:  jwt.NewNumericDate(session.AuthenticatedAt),
		AMR:       session.Methods,
	}
	if !session.SSO.ConnectionID.IsZero() {
		claims.SSO, claims.SSOBypassed = session.SSO.ConnectionID.String(), session.SSO.Bypassed
	}
	claims.Pause = int64(session.LongestPause / time.Second)
	if session.Strong(secured) {
		claims.ACR = call.StrongACR
	}
	return i.sign(ctx, claims)
}

// sign makes an access token of claims.
func (i *Issuer) sign(ctx context.Context, claims authn.Claims) (string, error) {
	keyID, private, err := i.signer(ctx, i.clock.Now())
	if err != nil {
		return "", err
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	token.Header["typ"] = authn.AccessTokenType
	token.Header["kid"] = keyID
	signed, err := token.SignedString(private)
	if err != nil {
		return "", fmt.Errorf("sign access token: %w", err)
	}
	return signed, nil
}

// ReadExpiry returns when an access token expires. It verifies nothing: the token must have been authenticated.
func ReadExpiry(text string) (time.Time, error) {
	claims, err := ReadClaims(text)
	if err != nil {
		return time.Time{}, err
	}
	return claims.ExpiresAt.UTC(), nil
}

// ReadClaims returns what an access token says. It verifies nothing: the token must have been authenticated.
func ReadClaims(text string) (*authn.Claims, error) {
	claims := &authn.Claims{}
	if _, _, err := jwt.NewParser().ParseUnverified(text, claims); err != nil {
		return nil, fmt.Errorf("read access token: %w", err)
	}
	if claims.ExpiresAt == nil {
		return nil, errors.New("read access token: it has no expiry")
	}
	return claims, nil
}

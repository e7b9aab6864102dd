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

// Issuer signs access tokens with the newest key of the database. It is safe for use by several goroutines.
type Issuer struct {
	db      *pg.DB
	keys    *secret.Keys
	clock   clock.Clock
	current atomic.Pointer[signingKey]
}

type signingKey struct {
	id      string
	private ed25519.PrivateKey
}

// NewIssuer returns an issuer without a key; Load, or the first Issue, gets it one.
func NewIssuer(db *pg.DB, keys *secret.Keys, clock clock.Clock) *Issuer {
	return &Issuer{db: db, keys: keys, clock: clock}
}

// Load reads the newest signing key and makes the first when there is none; of several processes that start at once
// one makes it. A key that was sealed with other keys than the service has is an error, never replaced.
func (i *Issuer) Load(ctx context.Context) error {
	var loaded *signingKey
	err := i.db.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		stored, err := store.LockSigningKeys(ctx, tx)
		if err != nil {
			return err
		}
		if len(stored) > 0 {
			loaded, err = i.open(stored[0])
			return err
		}
		loaded, err = i.create(ctx, tx)
		return err
	})
	if err != nil {
		return fmt.Errorf("load signing key: %w", err)
	}
	i.current.Store(loaded)
	return nil
}

func (i *Issuer) open(stored store.SigningKey) (*signingKey, error) {
	seed, err := i.keys.Unseal(stored.SealedPrivate, associatedData(stored.ID))
	if err != nil {
		return nil, fmt.Errorf("open signing key %s: %w", stored.ID, err)
	}
	if len(seed) != ed25519.SeedSize {
		return nil, errors.New("open signing key: it has a wrong size")
	}
	private := ed25519.NewKeyFromSeed(seed)
	if public, _ := private.Public().(ed25519.PublicKey); secret.Thumbprint(public) != stored.ID {
		return nil, errors.New("open signing key: it is not the key it is named after")
	}
	return &signingKey{stored.ID, private}, nil
}

func (i *Issuer) create(ctx context.Context, tx *pg.Tx) (*signingKey, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	keyID := secret.Thumbprint(public)
	sealed, err := i.keys.Seal(private.Seed(), associatedData(keyID))
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	err = store.CreateSigningKey(ctx, tx, store.SigningKey{ID: keyID, Public: public, SealedPrivate: sealed, CreatedAt: i.clock.Now()})
	return &signingKey{keyID, private}, err
}

func associatedData(keyID string) []byte { return []byte("signing-key/" + keyID) }

// Issue returns an access token for a session; secured says whether its user has a second factor.
func (i *Issuer) Issue(ctx context.Context, session domain.Session, secured bool) (string, error) {
	key := i.current.Load()
	if key == nil {
		if err := i.Load(ctx); err != nil {
			return "", err
		}
		key = i.current.Load()
	}
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
	if session.Strong(secured) {
		claims.ACR = call.StrongACR
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	token.Header["typ"] = authn.AccessTokenType
	token.Header["kid"] = key.id
	signed, err := token.SignedString(key.private)
	if err != nil {
		return "", fmt.Errorf("sign access token: %w", err)
	}
	return signed, nil
}

// ReadExpiry returns when an access token expires. It verifies nothing: the token must have been authenticated.
func ReadExpiry(text string) (time.Time, error) {
	claims := &authn.Claims{}
	if _, _, err := jwt.NewParser().ParseUnverified(text, claims); err != nil {
		return time.Time{}, fmt.Errorf("read access token: %w", err)
	}
	if claims.ExpiresAt == nil {
		return time.Time{}, errors.New("read access token: it has no expiry")
	}
	return claims.ExpiresAt.UTC(), nil
}

package token

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/braidhq/braid/platform/secret"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// NewSigningKey makes a key that signs from a time on, its private half sealed with the service's keys.
func NewSigningKey(keys *secret.Keys, now, signsFrom time.Time) (domain.SigningKey, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return domain.SigningKey{}, fmt.Errorf("make signing key: %w", err)
	}
	keyID := secret.Thumbprint(public)
	sealed, err := keys.Seal(private.Seed(), associatedData(keyID))
	if err != nil {
		return domain.SigningKey{}, fmt.Errorf("make signing key: %w", err)
	}
	return domain.SigningKey{ID: keyID, Public: public, SealedPrivate: sealed, CreatedAt: now, SignsFrom: signsFrom}, nil
}

// openKey returns the private half of a key. One that was sealed with other keys than the service has is an error.
func openKey(keys *secret.Keys, stored domain.SigningKey) (ed25519.PrivateKey, error) {
	seed, err := keys.Unseal(stored.SealedPrivate, associatedData(stored.ID))
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
	return private, nil
}

func associatedData(keyID string) []byte { return []byte("signing-key/" + keyID) }

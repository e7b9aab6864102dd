package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

const (
	coordinateLength = 32
	// uncompressed begins a point on a curve that is given with both coordinates (SEC 1 section 2.3.3).
	uncompressed = 4
)

// CheckPublicKey refuses a key that is no Ed25519 key and no point on P-256.
func CheckPublicKey(key domain.PublicKey) error {
	if _, err := parsePublicKey(key); err != nil {
		return errs.Invalid("publicKey", "jwk.unknown", "must be an Ed25519 key, or an EC key on P-256").WithCause(err)
	}
	return nil
}

func parsePublicKey(key domain.PublicKey) (crypto.PublicKey, error) {
	x, err := base64.RawURLEncoding.Strict().DecodeString(key.X)
	if err != nil || len(x) != coordinateLength {
		return nil, errors.New("x is no coordinate")
	}
	switch {
	case key.Type == "OKP" && key.Curve == "Ed25519" && key.Y == "":
		if !isEdwardsKey(x) {
			return nil, errors.New("x is no point that a private key can have")
		}
		return ed25519.PublicKey(x), nil
	case key.Type == "EC" && key.Curve == "P-256":
		y, err := base64.RawURLEncoding.Strict().DecodeString(key.Y)
		if err != nil || len(y) != coordinateLength {
			return nil, errors.New("y is no coordinate")
		}
		return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{uncompressed}, x...), y...))
	default:
		return nil, errors.New("unknown type of key")
	}
}

// openPublicKey returns a registered key and the one method that its signatures are made by: the key decides, never the
// header of what was signed.
func openPublicKey(key domain.PublicKey) (crypto.PublicKey, jwt.SigningMethod, error) {
	public, err := parsePublicKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("open public key: %w", err)
	}
	if _, isEdwards := public.(ed25519.PublicKey); isEdwards {
		return public, jwt.SigningMethodEdDSA, nil
	}
	return public, jwt.SigningMethodES256, nil
}

package secret

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// PublicFile is the name of the file that holds the public caller keys of all services, a JWK set (RFC 7517).
const PublicFile = "services.jwks.json"

// PublicKey is the key by which a service is known to the others.
type PublicKey struct {
	// Service is whose key it is. A token signed with it proves this service and no other.
	Service string
	// ID is the key's thumbprint, as tokens carry it in their header.
	ID  string
	Key ed25519.PublicKey
}

// JWK is an Ed25519 public key as RFC 8037 writes it.
type JWK struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	ID        string `json:"kid"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
	// Service is ours: RFC 7517 section 4 allows further members.
	Service string `json:"braid_service,omitempty"`
}

// JWKSet is a list of public keys.
type JWKSet struct {
	Keys []JWK `json:"keys"`
}

// PublicJWK returns the public half of a signing key, for a JWKS endpoint.
func (k SigningKey) PublicJWK() JWK {
	public, _ := k.Private.Public().(ed25519.PublicKey)
	return JWK{
		KeyType: "OKP", Curve: "Ed25519", X: base64.RawURLEncoding.EncodeToString(public),
		ID: k.ID, Algorithm: "EdDSA", Use: "sig",
	}
}

// Thumbprint names a public key by its content, as RFC 7638 and RFC 8037 appendix A.3 say.
func Thumbprint(public ed25519.PublicKey) string {
	x := base64.RawURLEncoding.EncodeToString(public)
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + x + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ParseJWK checks a JWK and returns its key. Only Ed25519 signature keys are accepted, and only under their thumbprint,
// so that one key can't be passed off under another's name.
func ParseJWK(jwk JWK) (PublicKey, error) {
	x, err := base64.RawURLEncoding.Strict().DecodeString(jwk.X)
	switch {
	case jwk.KeyType != "OKP" || jwk.Curve != "Ed25519" || err != nil || len(x) != ed25519.PublicKeySize:
		return PublicKey{}, fmt.Errorf("key %q is not an Ed25519 public key", jwk.ID)
	case jwk.Use != "" && jwk.Use != "sig" || jwk.Algorithm != "" && jwk.Algorithm != "EdDSA":
		return PublicKey{}, fmt.Errorf("key %q is not for signatures", jwk.ID)
	case jwk.ID != Thumbprint(x):
		return PublicKey{}, fmt.Errorf("key %q is named after another key", jwk.ID)
	}
	return PublicKey{Service: jwk.Service, ID: jwk.ID, Key: x}, nil
}

// LoadPublic reads the caller keys of all services, by key id. The file need not be kept secret, but must not be
// writable by others: whoever can add a key to it can pose as any service.
func LoadPublic(dir string) (map[string]PublicKey, error) {
	content, err := readUnwritable(filepath.Join(dir, PublicFile))
	if err != nil {
		return nil, fmt.Errorf("load public keys of services: %w", err)
	}
	var set JWKSet
	if err := json.NewDecoder(bytes.NewReader(content)).Decode(&set); err != nil {
		return nil, fmt.Errorf("load public keys of services: %w", err)
	}
	keys := make(map[string]PublicKey, len(set.Keys))
	for _, jwk := range set.Keys {
		parsed, err := ParseJWK(jwk)
		if err != nil {
			return nil, fmt.Errorf("load public keys of services: %w", err)
		}
		if err := checkService(parsed.Service); err != nil {
			return nil, fmt.Errorf("load public keys of services: key %q: %w", parsed.ID, err)
		}
		if other, twice := keys[parsed.ID]; twice {
			return nil, fmt.Errorf("load public keys of services: %s and %s have the same key", other.Service,
				parsed.Service)
		}
		keys[parsed.ID] = parsed
	}
	return keys, nil
}

// writePublic replaces the public file.
func writePublic(dir string, keys map[string]PublicKey) error {
	set := JWKSet{Keys: make([]JWK, 0, len(keys))}
	for _, key := range keys {
		set.Keys = append(set.Keys, JWK{
			KeyType: "OKP", Curve: "Ed25519", X: base64.RawURLEncoding.EncodeToString(key.Key),
			ID: key.ID, Algorithm: "EdDSA", Use: "sig", Service: key.Service,
		})
	}
	slices.SortFunc(set.Keys, func(a, b JWK) int { return strings.Compare(a.Service+a.ID, b.Service+b.ID) })
	content, err := json.MarshalIndent(set, "", "  ")
	if err != nil {
		return fmt.Errorf("encode public keys: %w", err)
	}
	return replacePublic(filepath.Join(dir, PublicFile), append(content, '\n'))
}

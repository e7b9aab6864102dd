// Package secret owns a service's keys and everything that is done with them: sealing, keyed derivation and hashing,
// and the keys that sign tokens.
//
// The cryptography is Tink's and the standard library's. The package makes keys only when asked to (Init), never
// replaces one, refuses key files that others can read, and hands out private material only as signing keys.
package secret

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// KeySize is the length in bytes of everything Derive and HashKeyed return, and of SealUnder's keys.
const KeySize = 32

// ErrUnseal says that a sealed text was not made with these keys and this associated data. It doesn't say which of
// them is wrong, on purpose.
var ErrUnseal = errors.New("the sealed text does not open")

// SigningKey is an Ed25519 key with the name that tokens carry in their header.
type SigningKey struct {
	// ID is the key's thumbprint (RFC 7638).
	ID      string
	Private ed25519.PrivateKey
}

// Format implements fmt.Formatter: the key is named, never shown.
func (k SigningKey) Format(state fmt.State, _ rune) {
	_, _ = fmt.Fprintf(state, "signing key %s", k.ID)
}

// Keys are the keys of one service. They are safe for use by several goroutines.
type Keys struct {
	service string
	aead    tink.AEAD
	prf     *prf.Set
	// caller signs what proves this service to other services; its public half stands in the shared public file.
	caller SigningKey
	// issuer signs tokens that this service issues to others; the service publishes its public half by itself. It is
	// a key of its own so that neither sort of token can ever pass for the other.
	issuer SigningKey
}

// Service is the name of the service whose keys these are.
func (k *Keys) Service() string { return k.service }

// CallerKey signs service tokens: proof, for other services, that this service calls.
func (k *Keys) CallerKey() SigningKey { return k.caller }

// IssuerKey signs tokens that this service hands out, such as access tokens.
func (k *Keys) IssuerKey() SigningKey { return k.issuer }

// Format implements fmt.Formatter: the keys are named, never shown.
func (k *Keys) Format(state fmt.State, _ rune) { _, _ = fmt.Fprintf(state, "keys of %s", k.service) }

// Seal encrypts and authenticates a text. The associated data is authenticated but not kept: it binds the text to its
// place, such as the id of its row, so that it can't be moved to another.
func (k *Keys) Seal(plaintext, associatedData []byte) ([]byte, error) {
	sealed, err := k.aead.Encrypt(plaintext, associatedData)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return sealed, nil
}

// Unseal is the inverse of Seal; everything that goes wrong is ErrUnseal.
func (k *Keys) Unseal(sealed, associatedData []byte) ([]byte, error) {
	plaintext, err := k.aead.Decrypt(sealed, associatedData)
	if err != nil {
		return nil, ErrUnseal
	}
	return plaintext, nil
}

// Derive returns KeySize bytes that only this service can compute from the parts. The purpose keeps one use apart from
// all others; parts are told apart, so ("ab", "c") and ("a", "bc") differ.
func (k *Keys) Derive(purpose string, parts ...[]byte) []byte {
	return k.compute("derive", purpose, parts)
}

// HashKeyed returns KeySize bytes to recognize data by. Without the key, nobody can test guesses against them: use it
// for what could be guessed, such as a request's body. Compare with hmac.Equal.
func (k *Keys) HashKeyed(purpose string, data []byte) []byte {
	return k.compute("hash", purpose, [][]byte{data})
}

func (k *Keys) compute(use, purpose string, parts [][]byte) []byte {
	size := 0
	for _, part := range parts {
		size += len(part) + 8
	}
	input := make([]byte, 0, size+len(use)+len(purpose)+16)
	for _, part := range append([][]byte{[]byte(use), []byte(purpose)}, parts...) {
		input = binary.BigEndian.AppendUint64(input, uint64(len(part)))
		input = append(input, part...)
	}
	output, err := k.prf.ComputePrimaryPRF(input, KeySize)
	if err != nil {
		// The only error is an output longer than the function allows, and KeySize is a constant below that.
		panic("secret: compute pseudo-random function: " + err.Error())
	}
	return output
}

// SealUnder is Seal under a key that the caller has derived, for texts that must stay closed to whoever has only the
// database and the service's own keys. The key has KeySize bytes.
func SealUnder(key, plaintext, associatedData []byte) ([]byte, error) {
	cipher, err := subtle.NewXChaCha20Poly1305(key)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	sealed, err := cipher.Encrypt(plaintext, associatedData)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return sealed, nil
}

// UnsealUnder is the inverse of SealUnder; everything that goes wrong is ErrUnseal.
func UnsealUnder(key, sealed, associatedData []byte) ([]byte, error) {
	cipher, err := subtle.NewXChaCha20Poly1305(key)
	if err != nil {
		return nil, ErrUnseal
	}
	plaintext, err := cipher.Decrypt(sealed, associatedData)
	if err != nil {
		return nil, ErrUnseal
	}
	return plaintext, nil
}

// Load reads the keys of one service from a directory that Init has filled. A missing file is fs.ErrNotExist.
func Load(dir, service string) (*Keys, error) {
	if err := checkService(service); err != nil {
		return nil, err
	}
	stored, err := readKeyFile(dir, service)
	if err != nil {
		return nil, fmt.Errorf("load keys of %s: %w", service, err)
	}
	keys, err := stored.open()
	if err != nil {
		return nil, fmt.Errorf("load keys of %s: %w", service, err)
	}
	if keys.service != service {
		return nil, fmt.Errorf("load keys of %s: the file holds the keys of %q", service, keys.service)
	}
	return keys, nil
}

func (s *storedKeys) open() (*Keys, error) {
	if s.Version != keyFileVersion {
		return nil, fmt.Errorf("the file has version %d, this program reads version %d", s.Version, keyFileVersion)
	}
	sealing, err := readKeyset(s.Sealing)
	if err != nil {
		return nil, fmt.Errorf("read sealing keyset: %w", err)
	}
	opened := &Keys{service: s.Service}
	if opened.aead, err = aead.New(sealing); err != nil {
		return nil, fmt.Errorf("read sealing keyset: %w", err)
	}
	derivation, err := readKeyset(s.Derivation)
	if err != nil {
		return nil, fmt.Errorf("read derivation keyset: %w", err)
	}
	if opened.prf, err = prf.NewPRFSet(derivation); err != nil {
		return nil, fmt.Errorf("read derivation keyset: %w", err)
	}
	if opened.caller, err = parseSigningKey(s.Caller); err != nil {
		return nil, fmt.Errorf("read caller key: %w", err)
	}
	if opened.issuer, err = parseSigningKey(s.Issuer); err != nil {
		return nil, fmt.Errorf("read issuer key: %w", err)
	}
	return opened, nil
}

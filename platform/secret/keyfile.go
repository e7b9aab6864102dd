package secret

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
)

const (
	keyFileVersion = 1
	pemPrivateKey  = "PRIVATE KEY"
)

// storedKeys is the content of a service's key file.
type storedKeys struct {
	Version int    `json:"version"`
	Service string `json:"service"`
	// Sealing is a Tink AEAD keyset, Derivation a Tink PRF keyset. They are not encrypted: the file's mode protects
	// them, as it protects the rest.
	Sealing    json.RawMessage `json:"sealing"`
	Derivation json.RawMessage `json:"derivation"`
	// Caller and Issuer are Ed25519 private keys, PKCS #8 in PEM.
	Caller string `json:"caller"`
	Issuer string `json:"issuer"`
}

func keyFilePath(dir, service string) string { return filepath.Join(dir, service+".keys.json") }

// checkService keeps names that could lead out of the directory from becoming paths.
func checkService(service string) error {
	if service == "" || strings.Trim(service, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		return fmt.Errorf("%q is not the name of a service", service)
	}
	return nil
}

func newStoredKeys(service string) (*storedKeys, error) {
	stored := &storedKeys{Version: keyFileVersion, Service: service}
	var err error
	// The nonces of XChaCha20 are long enough to be random for any number of texts.
	if stored.Sealing, err = newKeyset(aead.XChaCha20Poly1305KeyTemplate()); err != nil {
		return nil, err
	}
	if stored.Derivation, err = newKeyset(prf.HKDFSHA256PRFKeyTemplate()); err != nil {
		return nil, err
	}
	if stored.Caller, err = newSigningKey(); err != nil {
		return nil, err
	}
	if stored.Issuer, err = newSigningKey(); err != nil {
		return nil, err
	}
	return stored, nil
}

func newKeyset(template *tinkpb.KeyTemplate) (json.RawMessage, error) {
	handle, err := keyset.NewHandle(template)
	if err != nil {
		return nil, fmt.Errorf("make keyset: %w", err)
	}
	var content bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&content)); err != nil {
		return nil, fmt.Errorf("write keyset: %w", err)
	}
	return content.Bytes(), nil
}

func readKeyset(content json.RawMessage) (*keyset.Handle, error) {
	return insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(content)))
}

func newSigningKey() (string, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", fmt.Errorf("encode signing key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: pemPrivateKey, Bytes: der})), nil
}

func parseSigningKey(text string) (SigningKey, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != pemPrivateKey || len(bytes.TrimSpace(rest)) > 0 {
		return SigningKey{}, errors.New("not one private key in PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return SigningKey{}, err
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return SigningKey{}, fmt.Errorf("not an Ed25519 key but a %T", parsed)
	}
	public, ok := private.Public().(ed25519.PublicKey)
	if !ok {
		return SigningKey{}, errors.New("the key has no public half")
	}
	return SigningKey{ID: Thumbprint(public), Private: private}, nil
}

func readKeyFile(dir, service string) (*storedKeys, error) {
	content, err := readPrivate(keyFilePath(dir, service))
	if err != nil {
		return nil, err
	}
	stored := &storedKeys{}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(stored); err != nil {
		// The decoder's own message may quote what it stumbled over, which may be key material.
		return nil, errors.New("the file is not a key file")
	}
	return stored, nil
}

func (s *storedKeys) create(dir string) error {
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode keys: %w", err)
	}
	return createPrivate(keyFilePath(dir, s.Service), append(content, '\n'))
}

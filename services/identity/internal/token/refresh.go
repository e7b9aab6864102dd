package token

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/braidhq/braid/platform/secret"
)

const refreshLength = 32

// NewRefresh returns a refresh token: 256 random bits.
func NewRefresh() string {
	bits := make([]byte, refreshLength)
	// crypto/rand ends the process when the system has no randomness left.
	_, _ = rand.Read(bits)
	return base64.RawURLEncoding.EncodeToString(bits)
}

// HashRefresh returns what a refresh token is stored as. Whatever was presented has a hash; only real tokens are found.
func HashRefresh(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// SealAnswer closes the answer to a refresh token's use under a key that only who holds that token can derive: the
// database and the service's own keys together don't open it.
func SealAnswer(token string, answer []byte) ([]byte, error) {
	key, err := answerKey(token)
	if err != nil {
		return nil, err
	}
	return secret.SealUnder(key, answer, HashRefresh(token))
}

// UnsealAnswer is the inverse of SealAnswer.
func UnsealAnswer(token string, sealed []byte) ([]byte, error) {
	key, err := answerKey(token)
	if err != nil {
		return nil, err
	}
	return secret.UnsealUnder(key, sealed, HashRefresh(token))
}

func answerKey(token string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, []byte(token), nil, "braid identity refresh answer", secret.KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive key of answer: %w", err)
	}
	return key, nil
}

package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/secret"
)

// Purpose keeps the tokens of one kind of mail from being good for another.
type Purpose string

// The purposes.
const (
	ForRegistration  Purpose = "registration-token"
	ForPasswordReset Purpose = "password-reset-token"
	ForEmailChange   Purpose = "email-change-token"
	ForProviderLink  Purpose = "provider-link-token"
)

// Mailed derives the token of a mail's link: 256 bits that are stored nowhere.
func Mailed(keys *secret.Keys, purpose Purpose, about id.ID, nonce []byte) string {
	return base64.RawURLEncoding.EncodeToString(keys.Derive(string(purpose), about[:], nonce))
}

// HashMailed returns what a mailed token is recognized by. The purpose is part of it.
func HashMailed(purpose Purpose, token string) []byte {
	sum := sha256.Sum256([]byte(string(purpose) + "\x00" + token))
	return sum[:]
}

// NewDevice returns the token that makes a device known: 256 random bits.
func NewDevice() string {
	bits := make([]byte, refreshLength)
	_, _ = rand.Read(bits)
	return base64.RawURLEncoding.EncodeToString(bits)
}

// HashDevice returns what a device's token is stored as.
func HashDevice(token string) []byte {
	sum := sha256.Sum256([]byte("device\x00" + token))
	return sum[:]
}

// ClientKey recognizes a network without naming it.
func ClientKey(keys *secret.Keys, network string) []byte {
	return keys.HashKeyed("client", []byte(network))
}

// BudgetKey names a budget without naming whose it is. No part holds a zero byte.
func BudgetKey(keys *secret.Keys, parts ...string) []byte {
	var joined []byte
	for _, part := range parts {
		joined = append(append(joined, part...), 0)
	}
	return keys.HashKeyed("budget", joined)
}

package token

import (
	"crypto/rand"
	"crypto/sha256"
	"strings"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/secret"
)

// NewChallenge returns what the second step of a login is asked for with: 256 random bits, as a refresh token has.
func NewChallenge() string { return NewRefresh() }

// HashChallenge returns what a challenge is stored as, be it of ours or the one that a passkey has signed.
func HashChallenge(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// backupAlphabet is Crockford's base32: nothing in it looks like anything else in it.
const (
	backupAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	backupLength   = 10
)

// NewBackupCode returns 50 random bits as people write them down: "k3v9w-2m8tq".
func NewBackupCode() string {
	bits := make([]byte, backupLength)
	_, _ = rand.Read(bits)
	for i := range bits {
		bits[i] = backupAlphabet[bits[i]%byte(len(backupAlphabet))]
	}
	return string(bits[:backupLength/2]) + "-" + string(bits[backupLength/2:])
}

var backupSpelling = strings.NewReplacer("-", "", " ", "", "o", "0", "i", "1", "l", "1")

// HashBackupCode is how a backup code of an account is recognized, however it was typed. It is keyed: 50 bits are too few
// for a hash that anybody can compute.
func HashBackupCode(keys *secret.Keys, accountID id.ID, code string) []byte {
	return keys.HashKeyed("backup-code", append(accountID[:], backupSpelling.Replace(strings.ToLower(code))...))
}

package app

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/secret"
)

const tokenPurpose = "invitation token"

// Tokens derives the tokens of invitations from the service's own key, so that they need not be kept: the database
// holds hashes only, and whoever reads it can accept nothing.
type Tokens struct{ Keys *secret.Keys }

// Derive returns the token of an invitation's mail. Each sending has another one.
func (t Tokens) Derive(invitationID id.ID, sending int32) string {
	var number [4]byte
	binary.BigEndian.PutUint32(number[:], uint32(sending))
	return base64.RawURLEncoding.EncodeToString(t.Keys.Derive(tokenPurpose, invitationID[:], number[:]))
}

// Hash returns what is kept of an invitation's token.
func (t Tokens) Hash(invitationID id.ID, sending int32) []byte {
	return HashToken(t.Derive(invitationID, sending))
}

// HashToken returns what is kept of a token: its SHA-256. The token has 256 bits, so no salt is needed.
func HashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// matches reports in constant time whether a token is the invitation's current one.
func (t Tokens) matches(token string, invitationID id.ID, sending int32) bool {
	return subtle.ConstantTimeCompare(HashToken(token), t.Hash(invitationID, sending)) == 1
}

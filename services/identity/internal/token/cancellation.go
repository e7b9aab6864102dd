package token

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/secret"
)

// cancellationSize is a user's id, the token's expiry, and what proves both.
const cancellationSize = len(id.ID{}) + 8 + secret.KeySize

// Cancellation returns what calls off the deletion that begins at a time. Nothing of it is stored: it is good for that
// deletion only, and so once.
func Cancellation(keys *secret.Keys, userID id.ID, leavesAt, expiresAt time.Time) string {
	said := binary.BigEndian.AppendUint64(userID[:], uint64(expiresAt.Unix())) //nolint:gosec // It is after 1970.
	return base64.RawURLEncoding.EncodeToString(append(said, proveCancellation(keys, said, leavesAt)...))
}

func proveCancellation(keys *secret.Keys, said []byte, leavesAt time.Time) []byte {
	return keys.Derive("deletion-cancellation", said, binary.BigEndian.AppendUint64(nil, uint64(leavesAt.UnixMicro()))) //nolint:gosec // It is after 1970.
}

// CancellationOwner returns whom a token says that it is of, which proves nothing; zero for what is no token.
func CancellationOwner(text string) (userID id.ID) {
	if decoded, err := base64.RawURLEncoding.DecodeString(text); err == nil && len(decoded) == cancellationSize {
		copy(userID[:], decoded)
	}
	return userID
}

// IsCancellation reports whether a token calls off, now, the deletion that begins at a time.
func IsCancellation(keys *secret.Keys, text string, leavesAt, now time.Time) bool {
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(decoded) != cancellationSize {
		return false
	}
	said, proof := decoded[:cancellationSize-secret.KeySize], decoded[cancellationSize-secret.KeySize:]
	expiresAt := binary.BigEndian.Uint64(said[len(id.ID{}):])
	return hmac.Equal(proof, proveCancellation(keys, said, leavesAt)) && uint64(now.Unix()) < expiresAt //nolint:gosec // It is after 1970.
}

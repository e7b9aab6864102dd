package token

import (
	"crypto/rand"

	"github.com/braidhq/braid/platform/id"
)

// NewAvatarID returns an identifier of 122 random bits (UUID version 4, RFC 9562 section 5.4): whoever has it sees the
// picture, so it must not be one that tells the time it was made.
func NewAvatarID() id.ID {
	var avatarID id.ID
	_, _ = rand.Read(avatarID[:])
	avatarID[6] = avatarID[6]&0x0f | 0x40
	avatarID[8] = avatarID[8]&0x3f | 0x80
	return avatarID
}

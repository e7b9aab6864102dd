package token

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/secret"
)

const (
	nonceLength = 16
	codeSpace   = 1_000_000
)

// NewNonce returns what makes a registration's code unforeseeable even for who knows its id.
func NewNonce() []byte {
	nonce := make([]byte, nonceLength)
	_, _ = rand.Read(nonce)
	return nonce
}

// Code derives the six digits of a registration. They are stored nowhere; only this service can derive them again.
func Code(keys *secret.Keys, registrationID id.ID, nonce []byte) string {
	derived := keys.Derive("registration-code", registrationID[:], nonce)
	// 2^64 is so much more than the number of codes that some being likelier than others can't be seen.
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(derived)%codeSpace)
}

// HashCode is how a code is recognized. It is keyed: a million codes are quickly tried by whoever has the database.
func HashCode(keys *secret.Keys, registrationID id.ID, code string) []byte {
	return keys.HashKeyed("registration-code", append(registrationID[:], code...))
}

// AddressKey stands in for the user in the events of an address that has none: the same for the same address, and no
// use for learning the address.
func AddressKey(keys *secret.Keys, addressKey string) id.ID {
	var key id.ID
	copy(key[:], keys.HashKeyed("event-key", []byte(addressKey)))
	key[6] = key[6]&0x0f | 0x80 // version 8 (RFC 9562 section 5.8): bits of our own making
	key[8] = key[8]&0x3f | 0x80
	return key
}

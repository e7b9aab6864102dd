// Package credential knows what the secrets of machines look like: a prefix that says of which sort one is, 256 random
// bits, and a checksum. Secret scanners find one wherever it leaks (Pattern), a mistyped one is refused without asking
// anybody, and what is stored is a plain SHA-256: there is nothing to guess. It decides nothing about who gets one.
package credential

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"math/big"
	"strings"
)

// Kind is a sort of credential: the prefix of its secrets.
type Kind string

// The kinds.
const (
	// AccessToken is a person's.
	AccessToken Kind = "braid_pat_"
	// APIKey is a service account's.
	APIKey Kind = "braid_key_"
)

const (
	prefixLength   = len(AccessToken)
	randomLength   = 43 // 62^43 is more than 2^256.
	checksumLength = 6  // 62^6 is more than 2^32.
	secretLength   = prefixLength + randomLength + checksumLength

	// Pattern finds secrets in a text, in the syntax of RE2.
	Pattern = `braid_(?:pat|key)_[0-9A-Za-z]{49}`

	digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// Hash is what a secret is known by.
type Hash = [sha256.Size]byte

// New returns a secret that nobody has.
func New(kind Kind) string {
	bits := make([]byte, 32)
	// crypto/rand ends the process when the system has no randomness left.
	_, _ = rand.Read(bits)
	text := string(kind) + encode(new(big.Int).SetBytes(bits))
	sum := checksum([]byte(text))
	return text + string(sum[:])
}

// Claims reports whether a text wants to be a secret of ours, by its prefix alone. No JSON Web Token begins like that.
func Claims(text string) bool {
	return strings.HasPrefix(text, string(AccessToken)) || strings.HasPrefix(text, string(APIKey))
}

// Check returns the hash of a secret, and false for a text that can be none: of another length or with a wrong checksum,
// which keeps typing errors and guesses away from the database. It proves nothing.
func Check(text string) (Hash, bool) {
	if len(text) != secretLength || !Claims(text) {
		return Hash{}, false
	}
	// On the stack, because this is done for every request of a machine.
	var buffer [secretLength]byte
	copy(buffer[:], text)
	sum := checksum(buffer[:secretLength-checksumLength])
	if string(sum[:]) != text[secretLength-checksumLength:] {
		return Hash{}, false
	}
	return sha256.Sum256(buffer[:]), true
}

// checksum is the CRC-32 of the secret before it, prefix included, so that one kind can't be passed off as the other.
func checksum(text []byte) (sum [checksumLength]byte) {
	left := crc32.ChecksumIEEE(text)
	for at := checksumLength - 1; at >= 0; at-- {
		sum[at] = digits[left%uint32(len(digits))]
		left /= uint32(len(digits))
	}
	return sum
}

// encode writes the random bits in base 62 with leading zeros.
func encode(number *big.Int) string {
	text := make([]byte, randomLength)
	base, digit := big.NewInt(int64(len(digits))), new(big.Int)
	for at := randomLength - 1; at >= 0; at-- {
		number.DivMod(number, base, digit)
		text[at] = digits[digit.Int64()]
	}
	return string(text)
}

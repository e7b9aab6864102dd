// Package totp computes the codes of authenticator apps (RFC 6238 over RFC 4226): SHA-1, six digits, 30 seconds, what
// every app knows. It does no IO and remembers nothing: that a code is good once is its caller's to see to.
package totp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6238's default; HMAC does not need its collision resistance.
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"time"
)

const (
	period    = 30
	digits    = 6
	codeSpace = 1_000_000
	// skew is how many steps a clock may be off (RFC 6238 section 5.2).
	skew = 1
	// secretLength is that of the hash, as RFC 4226 section 4 advises.
	secretLength = sha1.Size
)

// NewSecret returns 160 random bits.
func NewSecret() []byte {
	secret := make([]byte, secretLength)
	// crypto/rand ends the process when the system has no randomness left.
	_, _ = rand.Read(secret)
	return secret
}

// Step returns the number of the time step that a moment is in.
func Step(moment time.Time) int64 { return moment.Unix() / period }

// Code returns the code of a time step.
func Code(secret []byte, step int64) string {
	mac := hmac.New(sha1.New, secret)
	_ = binary.Write(mac, binary.BigEndian, step)
	sum := mac.Sum(nil)
	// RFC 4226 section 5.3: the last four bits say where the number is.
	offset := sum[len(sum)-1] & 0x0f
	number := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", digits, number%codeSpace)
}

// Match returns the step whose code it is, of those around a moment. It takes the same time whichever matches.
func Match(secret []byte, code string, moment time.Time) (step int64, ok bool) {
	now := Step(moment)
	for candidate := now - skew; candidate <= now+skew; candidate++ {
		if subtle.ConstantTimeCompare([]byte(Code(secret, candidate)), []byte(code)) == 1 {
			step, ok = candidate, true
		}
	}
	return step, ok
}

// IsCode reports whether a text looks like a code.
func IsCode(text string) bool {
	if len(text) != digits {
		return false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

// Encode writes a secret as people type it.
func Encode(secret []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
}

// URI is what apps read from a QR code (the Key URI Format). Spaces are %20 there: some apps show a plus as it is.
func URI(issuer, account string, secret []byte) string {
	return "otpauth://totp/" + url.PathEscape(issuer) + ":" + url.PathEscape(account) +
		"?secret=" + Encode(secret) + "&issuer=" + url.PathEscape(issuer)
}

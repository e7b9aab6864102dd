package domain

import (
	"slices"
	"time"
)

// The ways to prove who one is, by their names in RFC 8176.
const (
	ByPassword = "pwd"
	// ByCode is a code of an authenticator app or a backup code.
	ByCode = "otp"
	// ByDeviceKey is a passkey that can't leave its device, BySyncedKey one that its owner's devices share.
	ByDeviceKey = "hwk"
	BySyncedKey = "swk"
	// ByProvider is a login at a provider, which may have asked for anything; RFC 8176 has no name for it.
	ByProvider = "sso"
	// BySeveral says that the proofs are of more than one kind: something known and something held, or a passkey that
	// has verified its user.
	BySeveral = "mfa"
)

// Combine returns the methods of all proofs together, sorted.
func Combine(proofs ...[]string) []string {
	all := slices.Concat(proofs...)
	held := slices.ContainsFunc(all, func(method string) bool {
		return method == ByCode || method == ByDeviceKey || method == BySyncedKey
	})
	if held && (slices.Contains(all, ByPassword) || slices.Contains(all, ByProvider)) {
		all = append(all, BySeveral)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Raise returns the session after one more proof.
func (s Session) Raise(proof []string, now time.Time) Session {
	s.Methods = Combine(s.Methods, proof)
	s.AuthenticatedAt, s.LongestPause = now, 0
	return s
}

// Strong reports whether the session was proven with all that its person has; secured says whether that is more than a
// password.
func (s Session) Strong(secured bool) bool { return !secured || slices.Contains(s.Methods, BySeveral) }

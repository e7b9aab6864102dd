package domain

import "time"

// SigningKey is a key that signs access tokens, its private half sealed. It verifies from the moment it exists, so that
// every process knows it before the first token that it signs.
type SigningKey struct {
	ID            string
	Public        []byte
	SealedPrivate []byte
	CreatedAt     time.Time
	// SignsFrom is when it takes over from the one before.
	SignsFrom time.Time
	// VerifiesUntil is when its last token has expired; zero while it has no successor.
	VerifiesUntil time.Time
}

// SigningKeys are keys, the youngest first.
type SigningKeys []SigningKey

// Current returns the key that signs now; false when there is none at all. Of keys that are all still to come (a clock
// that was set back) it is the oldest.
func (k SigningKeys) Current(now time.Time) (SigningKey, bool) {
	for _, key := range k {
		if !key.SignsFrom.After(now) {
			return key, true
		}
	}
	if len(k) == 0 {
		return SigningKey{}, false
	}
	return k[len(k)-1], true
}

// Next returns the key that was published and doesn't sign yet; false when there is none.
func (k SigningKeys) Next(now time.Time) (SigningKey, bool) {
	if len(k) > 0 && k[0].SignsFrom.After(now) {
		return k[0], true
	}
	return SigningKey{}, false
}

// Due reports whether the youngest key has signed for so long that its successor must be published, which signs notice
// later.
func (k SigningKeys) Due(now time.Time, lifetime, notice time.Duration) bool {
	return len(k) == 0 || !now.Before(k[0].SignsFrom.Add(lifetime-notice))
}

// Expired reports whether there is a key that verifies nothing any more.
func (k SigningKeys) Expired(now time.Time) bool {
	for _, key := range k {
		if !key.VerifiesUntil.IsZero() && !key.VerifiesUntil.After(now) {
			return true
		}
	}
	return false
}

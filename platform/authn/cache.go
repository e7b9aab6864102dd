package authn

import (
	"crypto/sha256"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/maypok86/otter/v2"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
)

// usualTokenLength is more than any token of ours; a longer one costs a copy.
const usualTokenLength = 1024

// tokenCache remembers good tokens of one type by their hash until they expire: a signature costs a hundred hashes.
// Of the tokens themselves it holds the last few: a request's token comes by up to three times.
type tokenCache struct {
	cache  *otter.Cache[[sha256.Size]byte, verified]
	recent [64]atomic.Pointer[recentToken]
	clock  clock.Clock
}

// recentToken is a good token as its request holds it.
type recentToken struct {
	token string
	verified
}

// is reports whether a token is this one in the very same memory. Texts are not compared, so there is no time to
// measure; and while recentToken holds the memory, nothing else can be there.
func (r *recentToken) is(token string) bool {
	return r != nil && len(r.token) == len(token) && unsafe.StringData(r.token) == unsafe.StringData(token)
}

// slot is where a token would be among the recent ones.
func (c *tokenCache) slot(token string) *atomic.Pointer[recentToken] {
	address := uintptr(unsafe.Pointer(unsafe.StringData(token))) //nolint:gosec // a number to choose a slot by
	return &c.recent[address/64%uintptr(len(c.recent))]
}

// verified is what a good token says.
type verified struct {
	actor call.Actor
	// tokenID is the token's own, of one that was issued for a key.
	tokenID id.ID
	expires time.Time
	// issued is zero for a token that does not say.
	issued time.Time
	// keyID names the key of an access token.
	keyID string
}

func newTokenCache(size int, clock clock.Clock) (*tokenCache, error) {
	cache, err := otter.New(&otter.Options[[sha256.Size]byte, verified]{MaximumSize: size})
	if err != nil {
		return nil, fmt.Errorf("make token cache: %w", err)
	}
	return &tokenCache{cache: cache, clock: clock}, nil
}

func (c *tokenCache) verify(token string, verify func() (verified, error)) (verified, error) {
	if len(token) > maxTokenLength {
		return verified{}, errTokenInvalid
	}
	slot := c.slot(token)
	if recent := slot.Load(); recent.is(token) && c.clock.Now().Before(recent.expires) {
		return recent.verified, nil
	}
	// The token is hashed from the stack, not from a copy on the heap.
	var buffer [usualTokenLength]byte
	hash := sha256.Sum256(append(buffer[:0], token...))
	known, ok := c.cache.GetIfPresent(hash)
	if !ok {
		var err error
		if known, err = verify(); err != nil {
			return verified{}, err
		}
		c.cache.Set(hash, known)
	}
	if !c.clock.Now().Before(known.expires) {
		c.cache.Invalidate(hash)
		return verified{}, errTokenInvalid
	}
	slot.Store(&recentToken{token, known})
	return known, nil
}

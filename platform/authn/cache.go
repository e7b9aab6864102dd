package authn

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
)

// usualTokenLength is more than any token of ours; a longer one costs a copy.
const usualTokenLength = 1024

// tokenCache remembers good tokens of one type by their hash until they expire: a signature costs a hundred hashes.
// It holds no token itself.
type tokenCache struct {
	cache *otter.Cache[[sha256.Size]byte, verified]
	clock clock.Clock
}

// verified is what a good token says.
type verified struct {
	actor   call.Actor
	expires time.Time
	// issued is zero for a token that does not say.
	issued time.Time
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
	// Every request comes by here, up to three times: the token is hashed from the stack, not from a copy on the heap.
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
	return known, nil
}

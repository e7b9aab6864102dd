package authn

import (
	"context"
	"crypto/ed25519"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
)

const (
	// KeyNotice is how long before its first token a key must be published: longer than any process goes without
	// looking, with the time of the question and what clocks may differ by.
	KeyNotice = 2 * time.Minute
	// keysLife is how old the keys may become before they are fetched again.
	keysLife = time.Minute
	// refetchAfter bounds how often an unknown key id makes this process ask identity, whatever strangers send;
	// retryAfter how often it asks while identity gives no answer.
	refetchAfter = 5 * time.Second
	retryAfter   = 500 * time.Millisecond
	// maxLooks bounds how often one token waits for keys that are no longer good when they come.
	maxLooks = 3
)

// keySet holds identity's public keys. They are fetched again when a token names one that is not there, when they are
// old, and when a key was rotated. Tokens of known keys wait for none of that, unless a key may have been given up.
type keySet struct {
	fetch func(ctx context.Context) (map[string]ed25519.PublicKey, error)
	// fresh reports whether this process has heard of every rotation but those of the last second.
	fresh   func() bool
	clock   clock.Clock
	fetches prometheus.Counter
	// asking lets one fetch serve all who wait for it.
	asking singleflight.Group

	// known is replaced as a whole, under mu.
	known   atomic.Pointer[knownKeys]
	mu      sync.RWMutex
	failed  time.Time
	failure error
}

// knownKeys is what one fetch has brought.
type knownKeys struct {
	keys    map[string]ed25519.PublicKey
	fetched time.Time
	// outdated says that there is another key by now; doubted, that one of these may have been given up.
	outdated, doubted bool
}

var errUnknownKey = errors.New("unknown key")

func newKeySet(config Config, fetches prometheus.Counter) *keySet {
	set := &keySet{fetch: config.UserKeys, fresh: config.Fresh, clock: config.Clock, fetches: fetches}
	set.known.Store(&knownKeys{})
	return set
}

func (s *keySet) get(ctx context.Context, keyID string) (ed25519.PublicKey, error) {
	for range maxLooks {
		known := s.known.Load()
		key, settled, err := s.lookUp(ctx, known, keyID)
		if settled {
			return key, err
		}
		select {
		case result := <-s.refresh(ctx, known):
			if result.Err != nil {
				return nil, result.Err
			}
		case <-ctx.Done():
			return nil, keysUnavailable(ctx.Err())
		}
	}
	return nil, keysUnavailable(errors.New("the keys were too old as soon as they came"))
}

// lookUp answers from what is known. It is not settled when asking identity may bring another answer.
func (s *keySet) lookUp(ctx context.Context, known *knownKeys, keyID string) (key ed25519.PublicKey, settled bool, err error) {
	now := s.clock.Now()
	age := now.Sub(known.fetched)
	key, found := known.keys[keyID]
	if found && s.believes(known, age) {
		if (known.outdated || age >= keysLife) && s.lastFailure(now) == nil {
			s.refresh(ctx, known)
		}
		return key, true, nil
	}
	if err := s.lastFailure(now); err != nil {
		return nil, true, keysUnavailable(err)
	}
	if !found && !known.outdated && !known.doubted && !known.fetched.IsZero() && age < refetchAfter {
		return nil, true, errUnknownKey
	}
	return nil, false, nil
}

// believes reports whether a key that was fetched can't have been given up more than a second ago.
func (s *keySet) believes(known *knownKeys, age time.Duration) bool {
	return !known.doubted && (s.fresh() || age >= 0 && age < answerLife)
}

// lastFailure is why identity did not answer a moment ago, when it is too early to ask it again.
func (s *keySet) lastFailure(now time.Time) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.failure != nil && now.Sub(s.failed) < retryAfter {
		return s.failure
	}
	return nil
}

func keysUnavailable(cause error) error {
	return errs.New(errs.Unavailable, "UNAVAILABLE", "Your token can't be checked at this moment.").WithCause(cause)
}

// refresh fetches the keys that follow those the caller has seen, or joins who does. The fetch is everybody's who waits,
// so one caller's going away must not end it; it bounds its own time.
func (s *keySet) refresh(ctx context.Context, seen *knownKeys) <-chan singleflight.Result {
	return s.asking.DoChan("", func() (any, error) {
		if s.known.Load() != seen {
			return nil, nil
		}
		if err := s.lastFailure(s.clock.Now()); err != nil {
			return nil, keysUnavailable(err)
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		s.fetches.Inc()
		asked := s.clock.Now()
		keys, err := s.fetch(ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.failure = err
		if err != nil {
			s.failed = s.clock.Now()
			return nil, keysUnavailable(err)
		}
		fetched := &knownKeys{keys: keys, fetched: asked}
		if after := s.known.Load(); after != seen {
			// A rotation was heard of in the meantime: the answer may be from before it.
			fetched.outdated, fetched.doubted = after.outdated, after.doubted
		}
		s.known.Store(fetched)
		return nil, nil
	})
}

// rotated notes that there is another key, and whether older ones may have been given up: then no token is good until the
// keys were fetched again.
func (s *keySet) rotated(dropped bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := *s.known.Load()
	known.outdated, known.doubted = true, known.doubted || dropped
	s.known.Store(&known)
	s.failure = nil
	s.asking.Forget("")
}

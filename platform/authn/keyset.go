package authn

import (
	"context"
	"crypto/ed25519"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
)

// refetchAfter bounds how often an unknown key id makes this process ask identity, whatever strangers send;
// retryAfter how often it asks while identity gives no answer.
const (
	refetchAfter = 5 * time.Second
	retryAfter   = 500 * time.Millisecond
)

// keySet holds identity's public keys and fetches them again when a token names one that is not there.
type keySet struct {
	fetch func(ctx context.Context) (map[string]ed25519.PublicKey, error)
	clock clock.Clock
	// asking lets one fetch serve all who wait for it.
	asking singleflight.Group

	mu      sync.RWMutex
	keys    map[string]ed25519.PublicKey
	fetched time.Time
	failed  time.Time
	failure error
}

var errUnknownKey = errors.New("unknown key")

func (s *keySet) get(ctx context.Context, keyID string) (ed25519.PublicKey, error) {
	key, settled, err := s.lookUp(keyID)
	if settled {
		return key, err
	}
	// The fetch is everybody's who waits, so one caller's going away must not end it; it bounds its own time.
	done := s.asking.DoChan("", func() (any, error) {
		if _, settled, err := s.lookUp(keyID); settled && err != nil {
			return nil, err
		}
		return nil, s.refresh(context.WithoutCancel(ctx))
	})
	select {
	case result := <-done:
		if result.Err != nil {
			return nil, result.Err
		}
	case <-ctx.Done():
		return nil, keysUnavailable(ctx.Err())
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if key, ok := s.keys[keyID]; ok {
		return key, nil
	}
	return nil, errUnknownKey
}

// lookUp answers from what is known. It is not settled when asking identity may bring another answer.
func (s *keySet) lookUp(keyID string) (key ed25519.PublicKey, settled bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	now := s.clock.Now()
	if key, ok := s.keys[keyID]; ok {
		return key, true, nil
	}
	switch {
	case s.failure != nil && now.Sub(s.failed) < retryAfter:
		return nil, true, keysUnavailable(s.failure)
	case s.failure == nil && !s.fetched.IsZero() && now.Sub(s.fetched) < refetchAfter:
		return nil, true, errUnknownKey
	default:
		return nil, false, nil
	}
}

func keysUnavailable(cause error) error {
	return errs.New(errs.Unavailable, "UNAVAILABLE", "Your token can't be checked at this moment.").WithCause(cause)
}

func (s *keySet) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	keys, err := s.fetch(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = err
	if err != nil {
		s.failed = s.clock.Now()
		return keysUnavailable(err)
	}
	s.keys, s.fetched = keys, s.clock.Now()
	return nil
}

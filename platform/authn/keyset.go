package authn

import (
	"context"
	"crypto/ed25519"
	"errors"
	"sync"
	"time"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
)

// refetchAfter bounds how often an unknown key id makes this process ask identity, whatever strangers send.
const refetchAfter = 5 * time.Second

// keySet holds identity's public keys and fetches them again when a token names one that is not there.
type keySet struct {
	fetch func(ctx context.Context) (map[string]ed25519.PublicKey, error)
	clock clock.Clock

	mu      sync.RWMutex
	keys    map[string]ed25519.PublicKey
	fetched time.Time
	failure error
	// fetching lets one caller ask while the others wait.
	fetching sync.Mutex
}

var errUnknownKey = errors.New("unknown key")

func (s *keySet) get(ctx context.Context, keyID string) (ed25519.PublicKey, error) {
	if key, ok, recent, _ := s.lookUp(keyID); ok {
		return key, nil
	} else if recent {
		return nil, errUnknownKey
	}
	s.fetching.Lock()
	defer s.fetching.Unlock()
	key, ok, recent, failure := s.lookUp(keyID)
	switch {
	case ok:
		return key, nil
	case recent && failure == nil:
		return nil, errUnknownKey
	}
	if err := s.refresh(ctx); err != nil {
		return nil, errs.New(errs.Unavailable, "UNAVAILABLE", "Your token can't be checked at this moment.").WithCause(err)
	}
	if key, ok, _, _ := s.lookUp(keyID); ok {
		return key, nil
	}
	return nil, errUnknownKey
}

// lookUp also says whether the keys were fetched so recently that asking again is no use.
func (s *keySet) lookUp(keyID string) (key ed25519.PublicKey, ok, recent bool, failure error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	key, ok = s.keys[keyID]
	return key, ok, s.failure == nil && s.clock.Now().Sub(s.fetched) < refetchAfter, s.failure
}

func (s *keySet) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	keys, err := s.fetch(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = err
	if err == nil {
		s.keys, s.fetched = keys, s.clock.Now()
	}
	return err
}

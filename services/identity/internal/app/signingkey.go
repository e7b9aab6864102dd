package app

import (
	"context"
	"fmt"
	"time"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/secret"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
	"github.com/braidhq/braid/services/identity/internal/token"
)

// retirement is how long a key verifies after its successor signs: until the last token that it can have signed has
// expired everywhere, whatever the clocks of the processes differ by.
const retirement = authn.ImpersonationLife + 2*authn.ClockLeeway

// SigningKeys replaces and removes the keys that sign access tokens. It works on the database alone, so an operator's
// command needs no running process.
type SigningKeys struct {
	DB    *pg.DB
	Keys  *secret.Keys
	Clock clock.Clock
}

// List returns the keys, the youngest first.
func (s *SigningKeys) List(ctx context.Context) (domain.SigningKeys, error) {
	return store.ListSigningKeys(ctx, s.DB.WorkerRead())
}

// Rotate publishes a key that takes over as soon as every process must have seen it. When one waits already, it is the
// answer and nothing changes.
func (s *SigningKeys) Rotate(ctx context.Context) (domain.SigningKey, error) {
	return s.rotate(ctx, identityv1.SigningKeyRotated_COMMAND, func(keys domain.SigningKeys, now time.Time) (domain.SigningKey, bool) {
		return keys.Next(now)
	})
}

// RotateWhenDue is Rotate for a key that has signed for its lifetime; of several processes one does it. It reports
// whether it was this one.
func (s *SigningKeys) RotateWhenDue(ctx context.Context, lifetime time.Duration) (bool, error) {
	rotated := false
	_, err := s.rotate(ctx, identityv1.SigningKeyRotated_SCHEDULE, func(keys domain.SigningKeys, now time.Time) (domain.SigningKey, bool) {
		rotated = keys.Due(now, lifetime, authn.KeyNotice)
		current, _ := keys.Current(now)
		return current, !rotated
	})
	return rotated && err == nil, err
}

// RotateNow makes a key that signs at once and removes all others: every access token ends. Sessions go on, with the
// next refresh.
func (s *SigningKeys) RotateNow(ctx context.Context) (domain.SigningKey, error) {
	var made domain.SigningKey
	err := s.DB.InWorkerTx(asSystem(ctx), func(ctx context.Context, tx *pg.Tx) error {
		if _, err := store.LockSigningKeys(ctx, tx); err != nil {
			return err
		}
		var err error
		now := s.Clock.Now()
		if made, err = s.create(ctx, tx, now, now); err != nil {
			return err
		}
		dropped, err := store.DropSigningKeys(ctx, tx, made.ID)
		if err != nil {
			return err
		}
		return signingKeyRotated(ctx, tx, s.Clock, made, identityv1.SigningKeyRotated_EMERGENCY, dropped)
	})
	if err != nil {
		return domain.SigningKey{}, fmt.Errorf("rotate signing key: %w", err)
	}
	return made, nil
}

// rotate makes a key unless there is one that will do, which is looked for under the lock.
func (s *SigningKeys) rotate(ctx context.Context, cause identityv1.SigningKeyRotated_Cause, find func(domain.SigningKeys, time.Time) (domain.SigningKey, bool)) (domain.SigningKey, error) {
	var successor domain.SigningKey
	err := s.DB.InWorkerTx(asSystem(ctx), func(ctx context.Context, tx *pg.Tx) error {
		keys, err := store.LockSigningKeys(ctx, tx)
		if err != nil {
			return err
		}
		now, found := s.Clock.Now(), false
		if successor, found = find(keys, now); found {
			return nil
		}
		if successor, err = s.create(ctx, tx, now, now.Add(authn.KeyNotice)); err != nil {
			return err
		}
		if err := store.RetireSigningKeys(ctx, tx, successor.ID, successor.SignsFrom.Add(retirement)); err != nil {
			return err
		}
		return signingKeyRotated(ctx, tx, s.Clock, successor, cause, nil)
	})
	if err != nil {
		return domain.SigningKey{}, fmt.Errorf("rotate signing key: %w", err)
	}
	return successor, nil
}

func (s *SigningKeys) create(ctx context.Context, tx *pg.Tx, now, signsFrom time.Time) (domain.SigningKey, error) {
	made, err := token.NewSigningKey(s.Keys, now, signsFrom)
	if err != nil {
		return domain.SigningKey{}, err
	}
	return made, store.CreateSigningKey(ctx, tx, made)
}

// Purge removes the keys whose last tokens have expired.
func (s *SigningKeys) Purge(ctx context.Context) error {
	return s.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		if _, err := store.LockSigningKeys(ctx, tx); err != nil {
			return err
		}
		_, err := store.PurgeSigningKeys(ctx, tx, s.Clock.Now())
		return err
	})
}

// asSystem returns a context in which events say that Braid itself did it.
func asSystem(ctx context.Context) context.Context {
	return call.With(ctx, &call.Call{CorrelationID: id.New().String(), Actor: call.Actor{Kind: call.System}})
}

package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/services/identity/internal/token"
)

const (
	// rotationInterval is how soon a process signs with a key that somebody made to sign at once.
	rotationInterval = time.Second
	rotationTimeout  = 10 * time.Second
)

// Rotation keeps one process's issuer at the keys of the database, and the database's keys on schedule: every process
// looks, and one of them does what is due.
type Rotation struct {
	Keys   *SigningKeys
	Issuer *token.Issuer
	// Lifetime is how long a key signs.
	Lifetime time.Duration
	Logger   *slog.Logger
}

// Run looks after the keys until ctx ends. A failed round is left to the next one: tokens are signed with the keys that
// are known, and none with keys that have become too old to tell.
func (r *Rotation) Run(ctx context.Context) error {
	ticker := time.NewTicker(rotationInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := r.Once(ctx); err != nil && ctx.Err() == nil {
				r.Logger.WarnContext(ctx, "signing keys not looked after, tried again shortly", slog.String("cause", err.Error()))
			}
		}
	}
}

// Once does one round.
func (r *Rotation) Once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, rotationTimeout)
	defer cancel()
	if err := r.Issuer.Load(ctx); err != nil {
		return err
	}
	now, known := r.Keys.Clock.Now(), r.Issuer.Keys()
	if known.Expired(now) {
		if err := r.Keys.Purge(ctx); err != nil {
			return err
		}
	}
	if !known.Due(now, r.Lifetime, authn.KeyNotice) {
		return nil
	}
	rotated, err := r.Keys.RotateWhenDue(ctx, r.Lifetime)
	if err != nil {
		return err
	}
	if rotated {
		r.Logger.InfoContext(ctx, "signing key rotated by schedule")
	}
	return r.Issuer.Load(ctx)
}

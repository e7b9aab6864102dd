package store

import (
	"context"
	"time"

	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store/db"
)

// signingKeyLock is the advisory lock under which the first signing key is made. Any constant will do.
const signingKeyLock = 0x6964656e

// SigningKey is a key that signs access tokens, its private half sealed.
type SigningKey struct {
	ID            string
	Public        []byte
	SealedPrivate []byte
	CreatedAt     time.Time
}

// LockSigningKeys returns all keys, the newest first, and makes others wait who want to add one. It needs a worker
// transaction.
func LockSigningKeys(ctx context.Context, tx *pg.Tx) ([]SigningKey, error) {
	if err := queue(tx).LockSigningKeys(ctx, signingKeyLock); err != nil {
		return nil, err
	}
	rows, err := db.New(tx).ListSigningKeys(ctx)
	keys := make([]SigningKey, 0, len(rows))
	for _, row := range rows {
		keys = append(keys, SigningKey{row.ID, row.PublicKey, row.SealedPrivate, row.CreatedAt})
	}
	return keys, explain("list signing keys", err)
}

// CreateSigningKey queues a key. It needs a worker transaction.
func CreateSigningKey(ctx context.Context, tx *pg.Tx, key SigningKey) error {
	return queue(tx).InsertSigningKey(ctx, db.InsertSigningKeyParams{
		ID: key.ID, PublicKey: key.Public, SealedPrivate: key.SealedPrivate, CreatedAt: key.CreatedAt,
	})
}

// ListPublicKeys returns the public halves by key id, the newest first.
func ListPublicKeys(ctx context.Context, querier pg.Querier) ([]SigningKey, error) {
	rows, err := db.New(querier).ListPublicKeys(ctx)
	keys := make([]SigningKey, 0, len(rows))
	for _, row := range rows {
		keys = append(keys, SigningKey{ID: row.ID, Public: row.PublicKey})
	}
	return keys, explain("list public keys", err)
}

// Purged counts what one round of Purge has removed.
type Purged struct {
	Registrations, Sessions, RefreshTokens, Answers int64
	Challenges, UnconfirmedFactors                  int64
}

// Purge removes what time has ended, at most a number of each kind. It needs a worker transaction.
func Purge(ctx context.Context, tx *pg.Tx, now time.Time, most int32) (purged Purged, err error) {
	queries := db.New(tx)
	usedBefore := now.Add(-domain.RetryWindow)
	if purged.Answers, err = queries.PurgeAnswers(ctx, &usedBefore, most); err != nil {
		return Purged{}, explain("wipe answers", err)
	}
	if purged.Registrations, err = queries.PurgeRegistrations(ctx, now, most); err != nil {
		return Purged{}, explain("purge registrations", err)
	}
	if purged.RefreshTokens, err = queries.PurgeRefreshTokens(ctx, now, most); err != nil {
		return Purged{}, explain("purge refresh tokens", err)
	}
	if purged.Sessions, err = queries.PurgeSessions(ctx, now, most); err != nil {
		return Purged{}, explain("purge sessions", err)
	}
	if purged.Challenges, err = queries.PurgeChallenges(ctx, now, most); err != nil {
		return Purged{}, explain("purge challenges", err)
	}
	if purged.UnconfirmedFactors, err = queries.PurgeUnconfirmed(ctx, now.Add(-domain.ConfirmationTime), most); err != nil {
		return Purged{}, explain("purge unconfirmed factors", err)
	}
	return purged, nil
}

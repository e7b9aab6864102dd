package store

import (
	"context"
	"time"

	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store/db"
)

// signingKeyLock is the advisory lock under which signing keys are made and removed. Any constant will do.
const signingKeyLock = 0x6964656e

// LockSigningKeys returns all keys, the youngest first, and makes others wait who want to change them. It needs a worker
// transaction.
func LockSigningKeys(ctx context.Context, tx *pg.Tx) (domain.SigningKeys, error) {
	if err := queue(tx).LockSigningKeys(ctx, signingKeyLock); err != nil {
		return nil, err
	}
	return ListSigningKeys(ctx, tx)
}

// ListSigningKeys returns all keys, the youngest first. It needs the worker role.
func ListSigningKeys(ctx context.Context, querier pg.Querier) (domain.SigningKeys, error) {
	rows, err := db.New(querier).ListSigningKeys(ctx)
	keys := make(domain.SigningKeys, 0, len(rows))
	for _, row := range rows {
		key := domain.SigningKey{
			ID: row.ID, Public: row.PublicKey, SealedPrivate: row.SealedPrivate, CreatedAt: row.CreatedAt.UTC(), SignsFrom: row.SignsFrom.UTC(),
		}
		if row.VerifiesUntil != nil {
			key.VerifiesUntil = row.VerifiesUntil.UTC()
		}
		keys = append(keys, key)
	}
	return keys, explain("list signing keys", err)
}

// CreateSigningKey queues a key. It needs a worker transaction.
func CreateSigningKey(ctx context.Context, tx *pg.Tx, key domain.SigningKey) error {
	return queue(tx).InsertSigningKey(ctx, db.InsertSigningKeyParams{
		ID: key.ID, PublicKey: key.Public, SealedPrivate: key.SealedPrivate, CreatedAt: key.CreatedAt, SignsFrom: key.SignsFrom,
	})
}

// RetireSigningKeys queues the end of every key but the successor, as far as they have none yet. It needs a worker
// transaction.
func RetireSigningKeys(ctx context.Context, tx *pg.Tx, successor string, verifiesUntil time.Time) error {
	return queue(tx).RetireSigningKeys(ctx, &verifiesUntil, successor)
}

// DropSigningKeys removes every key but the successor, and names them. It needs a worker transaction.
func DropSigningKeys(ctx context.Context, tx *pg.Tx, successor string) ([]string, error) {
	dropped, err := db.New(tx).DropSigningKeys(ctx, successor)
	return dropped, explain("drop signing keys", err)
}

// PurgeSigningKeys removes the keys whose last tokens have expired. It needs a worker transaction.
func PurgeSigningKeys(ctx context.Context, tx *pg.Tx, now time.Time) (int64, error) {
	removed, err := db.New(tx).PurgeSigningKeys(ctx, &now)
	return removed, explain("purge signing keys", err)
}

// ListPublicKeys returns the public halves of the keys that verify, the youngest first.
func ListPublicKeys(ctx context.Context, querier pg.Querier, now time.Time) (domain.SigningKeys, error) {
	rows, err := db.New(querier).ListPublicKeys(ctx, &now)
	keys := make(domain.SigningKeys, 0, len(rows))
	for _, row := range rows {
		keys = append(keys, domain.SigningKey{ID: row.ID, Public: row.PublicKey})
	}
	return keys, explain("list public keys", err)
}

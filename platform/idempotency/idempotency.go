// Package idempotency makes a mutation with an Idempotency-Key happen once: its answer is stored in the mutation's own
// transaction, and the same request again gets that answer. It is the one helper that opens a handler's transaction,
// with or without a key.
package idempotency

import (
	"bytes"
	"context"
	"crypto/subtle"
	"embed"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/pg"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the table of stored answers, for the database of every service with mutations.
func Migrations() pg.MigrationSet {
	return pg.MigrationSet{Name: "idempotency", FS: migrations, Table: "idempotency_migration"}
}

const (
	// Lifetime is how long an answer is kept.
	Lifetime = 24 * time.Hour

	purgeInterval = time.Minute
	purgeBatch    = 5000
)

var errKeyReused = errs.New(errs.Aborted, "IDEMPOTENCY_KEY_REUSED", "The idempotency key was used before with another request.")

// Runner opens the transactions of one service's handlers.
type Runner struct {
	DB    *pg.DB
	Clock clock.Clock
	// share is zero for transactions of their own.
	share id.ID
}

// Sharing returns a runner whose transactions may be shared with others that are waiting; see pg.InSharedTx for what
// key must be, and what handle must not do.
func (r Runner) Sharing(key id.ID) Runner {
	r.share = key
	return r
}

// inTx runs work in a transaction of its own, or in one that others share.
func (r Runner) inTx(ctx context.Context, work func(ctx context.Context, tx *pg.Tx) error) error {
	if r.share.IsZero() {
		return r.DB.InTx(ctx, pg.ScopeOf(ctx), work)
	}
	return r.DB.InSharedTx(ctx, pg.ScopeOf(ctx), r.share, work)
}

// Run runs handle in one transaction of the app role, scoped to the call in ctx. With an idempotency key the answer is
// stored beside the effect: the same request again gets it without running handle, another request with the same key
// gets IDEMPOTENCY_KEY_REUSED, and of two at once the second waits for the first. A failed handle stores nothing.
// handle may run more than once, when the database asks for a retry.
func Run[Response any](ctx context.Context, runner Runner, handle func(ctx context.Context, tx *pg.Tx) (*Response, error)) (*Response, error) {
	work := call.From(ctx)
	var response *Response
	err := runner.inTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		work.Replayed, response = false, nil
		if work.IdempotencyKey != "" {
			stored, err := runner.claim(ctx, tx, work)
			if err != nil {
				return err
			}
			if stored != nil {
				response = new(Response)
				work.Replayed = true
				return proto.Unmarshal(stored, any(response).(proto.Message))
			}
		}
		var err error
		if response, err = handle(ctx, tx); err != nil {
			return err
		}
		// A change of a resource that nobody has decided about must not be committed.
		if err := work.CheckDecided(); err != nil || work.IdempotencyKey == "" {
			return err
		}
		return runner.keep(tx, work, any(response).(proto.Message))
	})
	if err != nil {
		return nil, err
	}
	return response, nil
}

const claimKey = `insert into idempotency (actor_id, organization_id, method, key, request_hash, expires_at)
values ($1, $2, $3, $4, $5, $6)
on conflict (actor_id, organization_id, method, key) do update
    set request_hash = excluded.request_hash, response = null, expires_at = excluded.expires_at
    where idempotency.expires_at <= $7
returning true`

const readAnswer = `select request_hash, response from idempotency
where actor_id = $1 and organization_id = $2 and method = $3 and key = $4`

// claim takes the key, or returns the stored answer of whoever had it before. The insert waits for another
// transaction with the same key to end.
func (r Runner) claim(ctx context.Context, tx *pg.Tx, work *call.Call) ([]byte, error) {
	now := r.Clock.Now()
	var taken bool
	err := tx.QueryRow(ctx, claimKey, work.Actor.UserID, organization(work), work.Procedure, work.IdempotencyKey,
		work.IdempotencyHash, now.Add(Lifetime), now).Scan(&taken)
	switch {
	case err == nil:
		return nil, nil
	case !errors.Is(err, pg.ErrNoRows):
		return nil, fmt.Errorf("claim idempotency key: %w", err)
	}
	var hash, response []byte
	err = tx.QueryRow(ctx, readAnswer, work.Actor.UserID, organization(work), work.Procedure, work.IdempotencyKey).
		Scan(&hash, &response)
	if err != nil {
		return nil, fmt.Errorf("read stored answer: %w", err)
	}
	if subtle.ConstantTimeCompare(hash, work.IdempotencyHash) != 1 {
		return nil, errKeyReused
	}
	return bytes.Clone(nonNil(response)), nil
}

// keep stores the answer; it goes out with COMMIT.
func (r Runner) keep(tx *pg.Tx, work *call.Call, response proto.Message) error {
	encoded, err := proto.Marshal(response)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	tx.Queue(`update idempotency set response = $5
where actor_id = $1 and organization_id = $2 and method = $3 and key = $4`,
		work.Actor.UserID, organization(work), work.Procedure, work.IdempotencyKey, nonNil(encoded))
	return nil
}

// nonNil keeps an empty answer ("{}" has no bytes) apart from none.
func nonNil(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

// noOrganization stands for work outside an organization. It is all zeros, which id.ID writes as NULL.
const noOrganization = "00000000-0000-0000-0000-000000000000"

func organization(work *call.Call) any {
	if work.OrganizationID.IsZero() {
		return noOrganization
	}
	return work.OrganizationID
}

// Purge removes expired answers, a bounded number at a time, and returns how many are gone.
func (r Runner) Purge(ctx context.Context) (int64, error) {
	var removed int64
	err := r.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		tag, err := tx.Exec(ctx, `delete from idempotency where ctid in
(select ctid from idempotency where expires_at <= $1 limit $2)`, r.Clock.Now(), purgeBatch)
		removed = tag.RowsAffected()
		return err
	})
	return removed, err
}

// purgeAll goes on while there is a full batch, or a busy day would leave more behind than a minute's batch takes.
func (r Runner) purgeAll(ctx context.Context) {
	for ctx.Err() == nil {
		if removed, err := r.Purge(ctx); err != nil || removed < purgeBatch {
			return
		}
	}
}

// Part removes expired answers every minute while the service runs. A failed try is left to the next one: nothing
// depends on the rows being gone.
func (r Runner) Part(service string) module.Part {
	return module.Part{
		Name: service + ".idempotency",
		Run: func(ctx context.Context) error {
			ticker := time.NewTicker(purgeInterval)
			defer ticker.Stop()
			for {
				select {
				case <-ctx.Done():
					return nil
				case <-ticker.C:
					r.purgeAll(ctx)
				}
			}
		},
	}
}

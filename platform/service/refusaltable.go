package service

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"time"

	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of refused accesses and of erasures, for the database of every service.
func Migrations() pg.MigrationSet {
	return pg.MigrationSet{Name: "refusal", FS: migrations, Table: "refusal_migration"}
}

// refusedCall is what the event says of a call, as it is kept in the row. A call knows more, its token above all, which
// must not be stored.
type refusedCall struct {
	Procedure     string         `json:"procedure"`
	CorrelationID string         `json:"correlationId"`
	ActorKind     call.ActorKind `json:"actorKind"`
	SessionID     id.ID          `json:"sessionId"`
	CredentialID  id.ID          `json:"credentialId"`
	Impersonator  id.ID          `json:"impersonatorId,omitzero"`
	ClientAddress netip.Addr     `json:"clientAddress"`
	Reason        string         `json:"reason"`
}

func refusedCallOf(work *call.Call, reason string) refusedCall {
	return refusedCall{
		work.Procedure, work.CorrelationID, work.Actor.Kind, work.Actor.SessionID, work.Actor.CredentialID,
		work.Actor.ImpersonatorID, work.ClientAddress, reason,
	}
}

const (
	addRefusals = `insert into refusal (organization_id, user_id, permission, count, call, next_event_at)
select organization_id, user_id, permission, count, call::json, $6
from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::text[]) as one (organization_id, user_id, permission, count, call)
on conflict (organization_id, user_id, permission) do update
    set count = refusal.count + excluded.count, call = excluded.call`

	// takeDueRefusals passes over rows that another process is at: it takes or adds to them itself.
	takeDueRefusals = `with due as (
    select organization_id, user_id, permission, count, call from refusal
    where count > 0 and next_event_at <= $1
    order by next_event_at limit $3
    for update skip locked
), taken as (
    update refusal set count = 0, next_event_at = $2 from due
    where refusal.organization_id = due.organization_id and refusal.user_id = due.user_id and refusal.permission = due.permission
)
select organization_id, user_id, permission, count, call from due`

	deleteQuietRefusals = `delete from refusal where (organization_id, user_id, permission) in (
    select organization_id, user_id, permission from refusal
    where count = 0 and next_event_at <= $1 limit $2
    for update skip locked)`
)

// keep adds a batch to the table and appends the events of what is due there, in one transaction of the worker role. It
// returns how many events. When the fate of a COMMIT is unknown the batch is added again: counts may say too much then,
// never too little.
func (r *refusals) keep(ctx context.Context, batch map[refusalKey]refusal) (told int, err error) {
	now := r.clock.Now()
	added, err := addArguments(batch, now)
	if err != nil {
		return 0, err
	}
	err = r.db.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		if len(batch) > 0 {
			tx.Queue(addRefusals, added...)
		}
		events, err := takeDue(ctx, tx, now)
		if err != nil {
			return err
		}
		told = len(events)
		for _, event := range events {
			// The event's time is the moment that the next one's is counted from.
			if err := outbox.Append(call.With(ctx, event.work), tx, clock.NewManual(now), event.Event); err != nil {
				return err
			}
		}
		tx.Queue(deleteQuietRefusals, now, maxRefusals)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("write refused accesses: %w", err)
	}
	return told, nil
}

func addArguments(batch map[refusalKey]refusal, now time.Time) ([]any, error) {
	var (
		organizations, users []id.ID
		permissions, calls   []string
		counts               []int64
	)
	for _, key := range inOrder(batch) {
		encoded, err := json.Marshal(batch[key].latest)
		if err != nil {
			return nil, fmt.Errorf("encode refused call: %w", err)
		}
		organizations, users = append(organizations, key.organizationID), append(users, key.userID)
		permissions, calls = append(permissions, key.permission), append(calls, string(encoded))
		counts = append(counts, batch[key].count)
	}
	return []any{organizations, users, permissions, counts, calls, now}, nil
}

// dueRefusal is an event, and the call that it is told of.
type dueRefusal struct {
	outbox.Event
	work *call.Call
}

func takeDue(ctx context.Context, tx *pg.Tx, now time.Time) ([]dueRefusal, error) {
	rows, err := tx.Query(ctx, takeDueRefusals, now, now.Add(refusalInterval), refusalBatch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var due []dueRefusal
	for rows.Next() {
		var (
			key     refusalKey
			count   int64
			encoded []byte
			latest  refusedCall
		)
		if err := rows.Scan(&key.organizationID, &key.userID, &key.permission, &count, &encoded); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(encoded, &latest); err != nil {
			return nil, fmt.Errorf("decode refused call: %w", err)
		}
		due = append(due, newDueRefusal(key, count, latest))
	}
	return due, rows.Err()
}

func newDueRefusal(key refusalKey, count int64, latest refusedCall) dueRefusal {
	return dueRefusal{
		Event: outbox.Event{
			Message: &platformv1.AccessRefused{
				Permission: key.permission, Procedure: latest.Procedure, Count: int32(min(count, math.MaxInt32)),
				Reason: latest.Reason,
			},
			Key:            key.organizationID,
			OrganizationID: key.organizationID,
			Subject:        "member/" + key.userID.String(),
		},
		work: &call.Call{
			Procedure: latest.Procedure, CorrelationID: latest.CorrelationID, OrganizationID: key.organizationID,
			Actor: call.Actor{
				// Rows from before there were machines are of people.
				Kind:   cmp.Or(latest.ActorKind, call.User),
				UserID: key.userID, SessionID: latest.SessionID, CredentialID: latest.CredentialID,
				ImpersonatorID: latest.Impersonator,
			},
			ClientAddress: latest.ClientAddress,
		},
	}
}

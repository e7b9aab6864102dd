package erasure

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
)

// Handlers are by event type. They are right when an event comes twice, and in any order: what says that there is no way
// back is believed whatever came before, and nothing that comes after changes it. They take a transaction each, because
// they read the catalog, and hear of subjects that the service has forgotten.
func (e *Eraser) Handlers() map[string]inbox.Handler {
	handlers := map[string]inbox.Handler{}
	for _, kind := range Kinds {
		handlers[bus.TypeOf(kind.started)] = kind.hear(kind.started, e.prepare)
		handlers[bus.TypeOf(kind.failed)] = kind.hear(kind.failed, e.restore)
		handlers[bus.TypeOf(kind.erasing)] = kind.hear(kind.erasing, e.begin)
	}
	return handlers
}

// Types are those of Handlers.
func (e *Eraser) Types() []string { return slices.Sorted(maps.Keys(e.Handlers())) }

// request is what an event asks for.
type request struct {
	kind      *Kind
	subjectID id.ID
	attemptID id.ID
}

func (k *Kind) hear(asking proto.Message, apply func(ctx context.Context, tx *pg.Tx, asked request) error) inbox.Handler {
	return inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		payload := asking.ProtoReflect().New().Interface()
		if err := event.Unmarshal(payload); err != nil {
			return err
		}
		subjectID, attemptID, err := About(payload)
		if err != nil {
			return err
		}
		return apply(k.AsSystem(ctx, subjectID, call.From(ctx).CorrelationID), tx, request{k, subjectID, attemptID})
	})
}

const (
	// keepAnswer leaves alone what there is no way back from.
	keepAnswer = `insert into erasure (id, attempt_id, phase, kind) values ($1, $2, $3, $4)
on conflict (id) do update set attempt_id = excluded.attempt_id, phase = excluded.phase
where erasure.phase in ('prepared', 'refused')`

	forgetAnswer = `delete from erasure where id = $1 and attempt_id = $2 and phase in ('prepared', 'refused')`

	beginErasing = `insert into erasure (id, attempt_id, phase, next_at, kind, seed) values ($1, $2, 'erasing', $3, $4, uuid_send(gen_random_uuid()))
on conflict (id) do update set attempt_id = excluded.attempt_id, phase = excluded.phase, next_at = excluded.next_at, seed = excluded.seed
where erasure.phase in ('prepared', 'refused')`
)

// prepare answers whether the service can erase what it holds. Asked again it looks again.
func (e *Eraser) prepare(ctx context.Context, tx *pg.Tx, asked request) error {
	reason, err := e.reasonAgainst(ctx, tx, asked)
	if err != nil {
		return err
	}
	phase := "prepared"
	if reason != "" {
		phase = "refused"
	}
	tag, err := tx.Exec(ctx, keepAnswer, asked.subjectID, asked.attemptID, phase, asked.kind.Name)
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	return e.tell(ctx, tx, asked, asked.kind.prepared(asked.subjectID.String(), asked.attemptID.String(), reason))
}

// reasonAgainst returns why the service can't, or nothing. That the database is unfit is told in general terms.
func (e *Eraser) reasonAgainst(ctx context.Context, tx *pg.Tx, asked request) (string, error) {
	if _, err := e.plan(ctx, tx, asked.kind); errors.Is(err, errUnfit) {
		e.Logger.ErrorContext(ctx, "nothing can be deleted", "kind", asked.kind.Name, "id", asked.subjectID, "cause", err)
		return "Its data can't be erased at this moment.", nil
	} else if err != nil {
		return "", err
	}
	refuse := e.Own.Refuse
	if asked.kind == Person {
		refuse = e.Own.People.Refuse
	}
	if refuse == nil {
		return "", nil
	}
	reason, err := refuse(ctx, tx, asked.subjectID)
	if err != nil {
		return "", fmt.Errorf("ask whether a deletion may go on: %w", err)
	}
	return reason, nil
}

// restore ends what prepare began.
func (e *Eraser) restore(ctx context.Context, tx *pg.Tx, asked request) error {
	_, err := tx.Exec(ctx, forgetAnswer, asked.subjectID, asked.attemptID)
	return err
}

// begin makes the subject one to be erased, or says again that it is.
func (e *Eraser) begin(ctx context.Context, tx *pg.Tx, asked request) error {
	if _, err := tx.Exec(ctx, beginErasing, asked.subjectID, asked.attemptID, e.Clock.Now(), asked.kind.Name); err != nil {
		return err
	}
	tx.AfterCommit(e.wake)
	standing, err := readStanding(ctx, tx, asked.subjectID)
	if err != nil || standing.phase != "erased" {
		return err
	}
	return e.tellErased(ctx, tx, asked.subjectID, standing)
}

func (e *Eraser) tellErased(ctx context.Context, tx *pg.Tx, subjectID id.ID, standing standing) error {
	var tables []*platformv1.ErasedTable
	for _, name := range slices.Sorted(maps.Keys(standing.counts)) {
		tables = append(tables, &platformv1.ErasedTable{Name: name, Rows: standing.counts[name]})
	}
	asked := request{standing.kind, subjectID, standing.attemptID}
	return e.tell(ctx, tx, asked, asked.kind.erased(subjectID.String(), asked.attemptID.String(), tables))
}

// tellDelayed tells of a failed try. The cause itself is for the log.
func (e *Eraser) tellDelayed(ctx context.Context, tx *pg.Tx, asked request, failures int, cause error) error {
	return e.tell(ctx, tx, asked, asked.kind.delayed(asked.subjectID.String(), asked.attemptID.String(),
		int32(min(failures, 1<<30)), errs.From(pg.Translate(cause)).Reason)) //nolint:gosec // It is bounded.
}

func (e *Eraser) tell(ctx context.Context, tx *pg.Tx, asked request, answer proto.Message) error {
	organizationID, subject := asked.kind.subject(asked.subjectID)
	return outbox.Append(ctx, tx, e.Clock, outbox.Event{
		Message: answer, Key: asked.subjectID, OrganizationID: organizationID, Subject: subject,
	})
}

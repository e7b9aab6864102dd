package erasure

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
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
// they read the catalog, and hear of organizations that the service has forgotten.
func (e *Eraser) Handlers() map[string]inbox.Handler {
	return map[string]inbox.Handler{
		bus.TypeOf(&organizationv1.OrganizationDeletionStarted{}): hear(&organizationv1.OrganizationDeletionStarted{}, e.prepare),
		bus.TypeOf(&organizationv1.OrganizationDeletionFailed{}):  hear(&organizationv1.OrganizationDeletionFailed{}, e.restore),
		bus.TypeOf(&organizationv1.OrganizationErasureStarted{}):  hear(&organizationv1.OrganizationErasureStarted{}, e.begin),
	}
}

// Types are those of Handlers.
func (e *Eraser) Types() []string { return slices.Sorted(maps.Keys(e.Handlers())) }

// request is what an event asks for.
type request struct {
	organizationID id.ID
	attemptID      id.ID
}

type requesting interface {
	proto.Message
	GetOrganizationId() string
	GetAttemptId() string
}

func hear(kind requesting, apply func(ctx context.Context, tx *pg.Tx, asked request) error) inbox.Handler {
	return inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		payload := kind.ProtoReflect().New().Interface().(requesting)
		if err := event.Unmarshal(payload); err != nil {
			return err
		}
		var asked request
		var organizationErr, attemptErr error
		asked.organizationID, organizationErr = id.Parse(payload.GetOrganizationId())
		asked.attemptID, attemptErr = id.Parse(payload.GetAttemptId())
		if err := errors.Join(organizationErr, attemptErr); err != nil {
			return fmt.Errorf("%w: read deletion: %w", bus.ErrMalformed, err)
		}
		return apply(asSystem(ctx, asked.organizationID), tx, asked)
	})
}

// asSystem makes what follows Braid's own doing: nobody asked this service for it.
func asSystem(ctx context.Context, organizationID id.ID) context.Context {
	return call.With(ctx, &call.Call{
		CorrelationID: call.From(ctx).CorrelationID, OrganizationID: organizationID, Actor: call.Actor{Kind: call.System},
	})
}

const (
	// keepAnswer leaves alone what there is no way back from.
	keepAnswer = `insert into erasure (id, attempt_id, phase) values ($1, $2, $3)
on conflict (id) do update set attempt_id = excluded.attempt_id, phase = excluded.phase
where erasure.phase in ('prepared', 'refused')`

	forgetAnswer = `delete from erasure where id = $1 and attempt_id = $2 and phase in ('prepared', 'refused')`

	beginErasing = `insert into erasure (id, attempt_id, phase, next_at) values ($1, $2, 'erasing', $3)
on conflict (id) do update set attempt_id = excluded.attempt_id, phase = excluded.phase, next_at = excluded.next_at
where erasure.phase in ('prepared', 'refused')`
)

// prepare answers whether the service can erase what it holds. Asked again it looks again.
func (e *Eraser) prepare(ctx context.Context, tx *pg.Tx, asked request) error {
	reason, err := e.reasonAgainst(ctx, tx, asked.organizationID)
	if err != nil {
		return err
	}
	phase := "prepared"
	if reason != "" {
		phase = "refused"
	}
	tag, err := tx.Exec(ctx, keepAnswer, asked.organizationID, asked.attemptID, phase)
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	return e.tell(ctx, tx, asked, &platformv1.OrganizationPrepared{
		OrganizationId: asked.organizationID.String(), AttemptId: asked.attemptID.String(), Refused: reason != "", Reason: reason,
	})
}

// reasonAgainst returns why the service can't, or nothing. That the database is unfit is told in general terms.
func (e *Eraser) reasonAgainst(ctx context.Context, tx *pg.Tx, organizationID id.ID) (string, error) {
	if _, err := e.plan(ctx, tx); errors.Is(err, errUnfit) {
		e.Logger.ErrorContext(ctx, "an organization can't be deleted", "organization_id", organizationID, "cause", err)
		return "Its data can't be erased at this moment.", nil
	} else if err != nil {
		return "", err
	}
	if e.Own.Refuse == nil {
		return "", nil
	}
	reason, err := e.Own.Refuse(ctx, tx, organizationID)
	if err != nil {
		return "", fmt.Errorf("ask whether an organization can be deleted: %w", err)
	}
	return reason, nil
}

// restore ends what prepare began.
func (e *Eraser) restore(ctx context.Context, tx *pg.Tx, asked request) error {
	_, err := tx.Exec(ctx, forgetAnswer, asked.organizationID, asked.attemptID)
	return err
}

// begin makes the organization one to be erased, or says again that it is.
func (e *Eraser) begin(ctx context.Context, tx *pg.Tx, asked request) error {
	if _, err := tx.Exec(ctx, beginErasing, asked.organizationID, asked.attemptID, e.Clock.Now()); err != nil {
		return err
	}
	tx.AfterCommit(e.wake)
	standing, err := readStanding(ctx, tx, asked.organizationID)
	if err != nil || standing.phase != "erased" {
		return err
	}
	return e.tellErased(ctx, tx, asked.organizationID, standing)
}

func (e *Eraser) tellErased(ctx context.Context, tx *pg.Tx, organizationID id.ID, standing standing) error {
	erased := &platformv1.OrganizationErased{OrganizationId: organizationID.String(), AttemptId: standing.attemptID.String()}
	for _, name := range slices.Sorted(maps.Keys(standing.counts)) {
		erased.Tables = append(erased.Tables, &platformv1.ErasedTable{Name: name, Rows: standing.counts[name]})
	}
	return e.tell(ctx, tx, request{organizationID, standing.attemptID}, erased)
}

// tellDelayed tells of a failed try. The cause itself is for the log.
func (e *Eraser) tellDelayed(ctx context.Context, tx *pg.Tx, asked request, failures int, cause error) error {
	return e.tell(ctx, tx, asked, &platformv1.OrganizationErasureDelayed{
		OrganizationId: asked.organizationID.String(), AttemptId: asked.attemptID.String(),
		Failures: int32(min(failures, 1<<30)), Reason: errs.From(pg.Translate(cause)).Reason, //nolint:gosec // It is bounded.
	})
}

func (e *Eraser) tell(ctx context.Context, tx *pg.Tx, asked request, answer proto.Message) error {
	return outbox.Append(ctx, tx, e.Clock, outbox.Event{
		Message: answer, Key: asked.organizationID, OrganizationID: asked.organizationID,
		Subject: "organization/" + asked.organizationID.String(),
	})
}

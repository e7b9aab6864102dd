package consumer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/app"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// Answers returns the handlers of what every service answers to a deletion.
func Answers(saga *app.Saga) map[string]inbox.Handler {
	return map[string]inbox.Handler{
		bus.TypeOf(&platformv1.OrganizationPrepared{}): answers(saga, func(told *platformv1.OrganizationPrepared, answer *app.StepAnswer) {
			answer.State, answer.Reason = domain.StepPrepared, told.GetReason()
			if told.GetRefused() {
				answer.State = domain.StepRefused
			}
		}),
		bus.TypeOf(&platformv1.OrganizationErased{}): answers(saga, func(told *platformv1.OrganizationErased, answer *app.StepAnswer) {
			answer.State = domain.StepErased
			for _, table := range told.GetTables() {
				answer.Rows += table.GetRows()
			}
		}),
		bus.TypeOf(&platformv1.OrganizationErasureDelayed{}): answers(saga, func(told *platformv1.OrganizationErasureDelayed, answer *app.StepAnswer) {
			answer.State, answer.Reason, answer.Failures = domain.StepErasing, told.GetReason(), int(told.GetFailures())
		}),
	}
}

type answering interface {
	proto.Message
	GetOrganizationId() string
	GetAttemptId() string
}

func answers[Told answering](saga *app.Saga, read func(told Told, answer *app.StepAnswer)) inbox.Handler {
	return inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		var none Told
		told := none.ProtoReflect().New().Interface().(Told)
		if err := event.Unmarshal(told); err != nil {
			return err
		}
		answer := app.StepAnswer{Service: strings.TrimPrefix(event.Source, bus.Source("")), Time: event.Time}
		var organizationErr, attemptErr error
		answer.OrganizationID, organizationErr = id.Parse(told.GetOrganizationId())
		answer.AttemptID, attemptErr = id.Parse(told.GetAttemptId())
		if err := errors.Join(organizationErr, attemptErr); err != nil {
			return fmt.Errorf("%w: read answer: %w", bus.ErrMalformed, err)
		}
		read(told, &answer)
		return saga.Hear(ctx, tx, answer)
	})
}

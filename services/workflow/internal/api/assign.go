package api

import (
	"context"
	"errors"
	"time"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/app"
	"github.com/braidhq/braid/services/workflow/internal/domain"
)

// A request whose assignee was removed, and is said to be a member, asks again: after firstAsk, then after twice as long
// each time, up to lastAsk. Together that is a little over a second, within which everybody has heard of a removal.
const (
	firstAsk = 10 * time.Millisecond
	lastAsk  = 640 * time.Millisecond
)

// assign runs work that gives a task to somebody, or with the zero id to nobody. Whether that is a member is asked
// before the transaction takes a connection; the answer is only given inside, so that a repeated request gets its
// stored answer first. A removal in between shows in the transaction.
func (t *Tasks) assign(ctx context.Context, runner idempotency.Runner, assigneeID id.ID, work func(context.Context, *pg.Tx) (domain.Task, error)) (*workflowv1.Task, error) {
	for wait := firstAsk; ; wait *= 2 {
		refusal := t.app.CheckAssignee(ctx, assigneeID)
		task, err := idempotency.Run(ctx, runner, func(ctx context.Context, tx *pg.Tx) (*workflowv1.Task, error) {
			if refusal != nil {
				return nil, refusal
			}
			task, err := work(ctx, tx)
			if err != nil {
				return nil, err
			}
			return app.EncodeTask(task), nil
		})
		if !errors.Is(err, domain.ErrAssigneeUnsettled) || wait > lastAsk || clock.Sleep(ctx, wait) != nil {
			return task, err
		}
	}
}

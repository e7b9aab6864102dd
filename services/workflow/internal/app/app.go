// Package app holds the use cases of projects, tasks and comments. Each takes the transaction it works in, asks the
// domain what may be done, keeps the outcome, and tells of it twice: to other services by an event, and to those who
// watch the project by a change. It opens no transaction and knows no protocol.
package app

import (
	"context"
	"errors"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/domain"
)

// App is the use cases of this service.
type App struct {
	database *pg.DB
	clock    clock.Clock
	members  Members
	// changed hears of every project that was changed, right after the commit. It must not block.
	changed func(domain.ProjectRef)
}

// New returns the use cases.
func New(database *pg.DB, clock clock.Clock, members Members, changed func(domain.ProjectRef)) *App {
	return &App{database: database, clock: clock, members: members, changed: changed}
}

// reasonSuspended is that of a member who may do nothing.
const reasonSuspended = "MEMBER_SUSPENDED"

// CheckAssignee refuses an assignee who is no member, or a suspended one; the zero id is nobody and always good. It asks another service, so
// it is called before a transaction takes a connection.
func (a *App) CheckAssignee(ctx context.Context, assigneeID id.ID) error {
	if assigneeID.IsZero() {
		return nil
	}
	err := a.members.Authorize(ctx, call.From(ctx).OrganizationID, assigneeID, "")
	if err != nil && errs.KindOf(err) == errs.NotFound {
		var refusal *errs.Error
		errors.As(err, &refusal)
		return domain.ErrAssigneeNotMember.WithViolation(errs.Violation{
			Field: "assigneeId", Rule: "member", Message: "must be a member of the organization",
		}).WithCause(refusal)
	}
	if err != nil && errs.From(err).Reason == reasonSuspended {
		return domain.ErrAssigneeNotMember.WithMessage("The assignee is suspended in the organization.").WithViolation(errs.Violation{
			Field: "assigneeId", Rule: "member", Message: "must not be suspended in the organization",
		}).WithCause(err)
	}
	return err
}

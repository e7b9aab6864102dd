// Package consumer reacts to what other services publish, one file for each of them. Its handlers are right when an
// event comes twice, and in any order with others.
package consumer

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/app"
)

// Organization handles the events of the organization service.
type Organization struct{ app *app.App }

// NewOrganization returns the handlers of the organization service's events.
func NewOrganization(app *app.App) *Organization { return &Organization{app: app} }

// Handlers are by event type.
func (o *Organization) Handlers() map[string]inbox.Handler {
	return map[string]inbox.Handler{
		bus.TypeOf(&organizationv1.MemberAdded{}):   inbox.Each(o.memberAdded),
		bus.TypeOf(&organizationv1.MemberRemoved{}): inbox.Each(o.memberRemoved),
	}
}

// Single are the types whose events need a transaction of their own. A removal waits for those who are assigning tasks to
// the member, and they for projects, which an earlier removal in the same transaction would hold.
func (o *Organization) Single() []string {
	return []string{bus.TypeOf(&organizationv1.MemberRemoved{})}
}

func (o *Organization) memberAdded(ctx context.Context, tx *pg.Tx, event bus.Event) error {
	return apply(ctx, tx, event, &organizationv1.MemberAdded{}, o.app.AddMember)
}

func (o *Organization) memberRemoved(ctx context.Context, tx *pg.Tx, event bus.Event) error {
	return apply(ctx, tx, event, &organizationv1.MemberRemoved{}, o.app.RemoveMember)
}

// membership is an event about one user in one organization.
type membership interface {
	proto.Message
	GetOrganizationId() string
	GetUserId() string
}

// apply calls a use case as the system: it is Braid that takes a former member's tasks away, not whoever removed the
// member; nobody asked for these changes.
func apply(ctx context.Context, tx *pg.Tx, event bus.Event, payload membership, use func(context.Context, *pg.Tx, id.ID, id.ID, time.Time) error) error {
	if err := event.Unmarshal(payload); err != nil {
		return err
	}
	organizationID, err := id.Parse(payload.GetOrganizationId())
	if err != nil {
		return fmt.Errorf("read organization: %w", err)
	}
	userID, err := id.Parse(payload.GetUserId())
	if err != nil {
		return fmt.Errorf("read user: %w", err)
	}
	ctx = call.With(ctx, &call.Call{
		CorrelationID: call.From(ctx).CorrelationID, OrganizationID: organizationID, Actor: call.Actor{Kind: call.System},
	})
	return use(ctx, tx, organizationID, userID, event.Time)
}

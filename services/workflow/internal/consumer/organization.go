// Package consumer reacts to what other services publish, one file for each of them. Its handlers are right when an
// event comes twice, and in any order with those of other members.
package consumer

import (
	"context"
	"fmt"

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
	return map[string]inbox.Handler{bus.TypeOf(&organizationv1.MemberRemoved{}): inbox.Each(o.memberRemoved)}
}

// memberRemoved takes the open tasks of somebody who has left from them. It is Braid that does so, not whoever removed
// the member: nobody asked for these changes.
func (o *Organization) memberRemoved(ctx context.Context, tx *pg.Tx, event bus.Event) error {
	removed := &organizationv1.MemberRemoved{}
	if err := event.Unmarshal(removed); err != nil {
		return err
	}
	organizationID, err := id.Parse(removed.GetOrganizationId())
	if err != nil {
		return fmt.Errorf("read organization: %w", err)
	}
	userID, err := id.Parse(removed.GetUserId())
	if err != nil {
		return fmt.Errorf("read user: %w", err)
	}
	ctx = call.With(ctx, &call.Call{
		CorrelationID: call.From(ctx).CorrelationID, OrganizationID: organizationID, Actor: call.Actor{Kind: call.System},
	})
	return o.app.UnassignMember(ctx, tx, organizationID, userID)
}

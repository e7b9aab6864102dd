package consumer

import (
	"context"
	"errors"
	"fmt"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/audit/internal/domain"
)

// organizationHandlers record like all others, and learn who is a member of what.
func (r *Recorder) organizationHandlers() map[string]inbox.Handler {
	return map[string]inbox.Handler{
		"organization.member.added": func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
			added := &organizationv1.MemberAdded{}
			if err := event.Unmarshal(added); err != nil {
				return err
			}
			return r.recordMembership(ctx, tx, event, added.GetOrganizationId(), added.GetUserId(), true)
		},
		"organization.member.removed": func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
			removed := &organizationv1.MemberRemoved{}
			if err := event.Unmarshal(removed); err != nil {
				return err
			}
			return r.recordMembership(ctx, tx, event, removed.GetOrganizationId(), removed.GetUserId(), false)
		},
	}
}

func (r *Recorder) recordMembership(ctx context.Context, tx *pg.Tx, event bus.Event, organization, user string, member bool) error {
	organizationID, organizationErr := id.Parse(organization)
	userID, userErr := id.Parse(user)
	if err := errors.Join(organizationErr, userErr); err != nil {
		return fmt.Errorf("%w: read membership: %w", bus.ErrMalformed, err)
	}
	err := r.app.ChangeMembership(ctx, tx, domain.MembershipChange{
		OrganizationID: organizationID, UserID: userID, Member: member, OccurredAt: event.Time,
	})
	if err != nil {
		return err
	}
	return r.record(ctx, tx, event)
}

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
	"github.com/braidhq/braid/services/identity/internal/app"
)

// Support returns the handler of ended support grants: what operators do in somebody's name ends with them.
func Support() map[string]inbox.Handler {
	return map[string]inbox.Handler{
		bus.TypeOf(&organizationv1.SupportGrantRevoked{}): inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
			revoked := &organizationv1.SupportGrantRevoked{}
			if err := event.Unmarshal(revoked); err != nil {
				return err
			}
			organizationID, organizationErr := id.Parse(revoked.GetOrganizationId())
			grantID, grantErr := id.Parse(revoked.GetSupportGrantId())
			if err := errors.Join(organizationErr, grantErr); err != nil {
				return fmt.Errorf("%w: read support grant: %w", bus.ErrMalformed, err)
			}
			return app.EndImpersonationsOfGrant(ctx, tx, organizationID, grantID, event.Time)
		}),
	}
}

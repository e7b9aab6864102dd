package consumer

import (
	"context"
	"errors"
	"fmt"

	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/app"
)

// Support returns the handler of what every service tells of operators who were let in.
func Support(useCases *app.App) map[string]inbox.Handler {
	return map[string]inbox.Handler{
		bus.TypeOf(&platformv1.SupportAccessed{}): inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
			accessed := &platformv1.SupportAccessed{}
			if err := event.Unmarshal(accessed); err != nil {
				return err
			}
			organizationID, organizationErr := id.Parse(accessed.GetOrganizationId())
			grantID, grantErr := id.Parse(accessed.GetSupportGrantId())
			operatorID, operatorErr := id.Parse(accessed.GetOperatorId())
			if err := errors.Join(organizationErr, grantErr, operatorErr); err != nil {
				return fmt.Errorf("%w: read support access: %w", bus.ErrMalformed, err)
			}
			return useCases.NoteSupportUse(ctx, tx, organizationID, grantID, operatorID, event.Time)
		}),
	}
}

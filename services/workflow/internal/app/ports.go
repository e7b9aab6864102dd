package app

import (
	"context"

	"github.com/braidhq/braid/platform/id"
)

// Members answers whether a user may do something in an organization; the organization service owns that. The empty
// permission asks for membership alone. NotFound says that the user is no member, Unavailable that nobody can tell.
type Members interface {
	Authorize(ctx context.Context, organizationID, userID id.ID, permission string) error
}

// Package app holds the use cases of organizations: what is read, decided by domain, written and told in one
// transaction. It checks no permission of a method (the chain did) and speaks no protocol.
package app

import (
	"context"
	"time"

	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// App is the use cases with what they need.
type App struct {
	DB        *pg.DB
	Clock     clock.Clock
	Roles     *domain.Roles
	Directory Directory
	Tokens    Tokens
	// DropAccess makes this process forget what a user may do in an organization. It is called after the commit, so
	// that the next request here already sees the change; other processes hear the event.
	DropAccess func(organizationID, userID id.ID)
	// DropOrganization is DropAccess for everybody in an organization.
	DropOrganization func(organizationID id.ID)
	// DeletionGrace is how long a deletion can be cancelled.
	DeletionGrace time.Duration
	// RecallAccess is what this process remembers of a user's access, or what read finds: authz.Access.Recall.
	RecallAccess func(ctx context.Context, organizationID, userID id.ID, permission string, read authz.Source) (authz.Permissions, error)
}

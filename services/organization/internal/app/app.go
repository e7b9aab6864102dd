// Package app holds the use cases of organizations: what is read, decided by domain, written and told in one
// transaction. It checks no permission of a method (the chain did) and speaks no protocol.
package app

import (
	"context"
	"time"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// App is the use cases with what they need.
type App struct {
	DB    *pg.DB
	Clock clock.Clock
	Roles *domain.Roles
	// Base are the same roles as the evaluator knows them; each organization's own are compiled over them.
	Base *access.Graph
	// ResourceTypes are those that the contract asks permissions for, sorted.
	ResourceTypes []string
	Directory     Directory
	Tokens        Tokens
	Resolver      Resolver
	// DropAccess makes this process forget what a user may do in an organization. It is called after the commit, so
	// that the next request here already sees the change; other processes hear the event.
	DropAccess func(organizationID, userID id.ID)
	// DropOrganization is DropAccess for all who are in an organization.
	DropOrganization func(organizationID id.ID)
	// DeletionGrace is how long a deletion can be cancelled.
	DeletionGrace time.Duration
	// RecallAccess is what this process remembers of a user's access, or what read finds: authz.Access.Recall.
	RecallAccess func(ctx context.Context, organizationID, userID id.ID, enough func(*authz.Held) bool, read authz.Source) (authz.Held, error)
	// Authorize says whether a user may do something in the whole organization: authz.Access.Authorize.
	Authorize func(ctx context.Context, organizationID, userID id.ID, permission string) error
}

// Package identity owns users, their passwords and sessions, and the keys that sign access tokens. It is the only
// package of the service that others may import; everything is built here, in reading order.
package identity

import (
	"embed"
	"errors"
	"fmt"

	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1braid"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/service"
	"github.com/braidhq/braid/services/identity/internal/api"
	"github.com/braidhq/braid/services/identity/internal/app"
	"github.com/braidhq/braid/services/identity/internal/password"
	"github.com/braidhq/braid/services/identity/internal/token"
)

// Name is the service's name, in configuration, topics and databases.
const Name = "identity"

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns what identity's database is made of.
func Migrations() []pg.MigrationSet {
	return []pg.MigrationSet{
		outbox.Migrations(), inbox.Migrations(), idempotency.Migrations(), service.Migrations(), {Name: "identity", FS: migrations},
	}
}

// New assembles the service. Its parts get the signing key and remove what has expired; the handlers work from the
// moment the database does.
func New(environment service.Environment, config Config) (*service.Service, error) {
	// Every process must hear of an ended session within a second.
	identity, err := service.New(environment, service.Options{Watermark: true})
	if err != nil {
		return nil, err
	}
	issuer := token.NewIssuer(environment.DB, environment.Keys, environment.Clock)
	useCases := &app.App{
		DB: environment.DB, Keys: environment.Keys, Hasher: password.New(config.password(), environment.Registerer), Issuer: issuer,
		Authenticator: environment.Authenticator.Authenticator, SessionIdleLifetime: config.SessionIdleLifetime,
		Clock: environment.Clock, Logger: environment.Logger,
	}
	cleanup := app.NewCleanup(useCases, environment.Registerer)
	err = errors.Join(
		identityv1braid.MountAuthService(identity.Server, api.NewAuth(useCases, identity.Runner)),
		identityv1braid.MountMeService(identity.Server, api.NewMe(useCases, identity.Runner)),
		identityv1braid.MountDirectoryService(identity.Server, api.NewDirectory(useCases)),
	)
	if err != nil {
		return nil, fmt.Errorf("assemble identity: %w", err)
	}
	identity.Parts = append(identity.Parts,
		module.Part{Name: environment.Name + ".signing-key", Start: issuer.Load},
		module.Part{Name: environment.Name + ".cleanup", Run: cleanup.Run},
	)
	return identity, nil
}

// Package identity owns users, their passwords and sessions, and the keys that sign access tokens. It is the only
// package of the service that others may import; everything is built here, in reading order.
package identity

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/braidhq/braid/gen/go/braid/organization/v1/organizationv1connect"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/deletion"
	"github.com/braidhq/braid/platform/erasure"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/job"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/platform/secret"
	"github.com/braidhq/braid/platform/service"
	"github.com/braidhq/braid/services/identity/internal/app"
	"github.com/braidhq/braid/services/identity/internal/avatar"
	"github.com/braidhq/braid/services/identity/internal/consumer"
	"github.com/braidhq/braid/services/identity/internal/federation"
	"github.com/braidhq/braid/services/identity/internal/passkey"
	"github.com/braidhq/braid/services/identity/internal/password"
	"github.com/braidhq/braid/services/identity/internal/token"
)

// Name is the service's name, in configuration, topics and databases.
const Name = "identity"

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns what identity's database is made of.
func Migrations() []pg.MigrationSet {
	jobs, err := job.Migrations()
	if err != nil {
		// They are compiled in: this is a broken build, which nothing at run time can mend.
		panic(Name + ": " + err.Error())
	}
	return []pg.MigrationSet{
		outbox.Migrations(), inbox.Migrations(), idempotency.Migrations(), service.Migrations(), jobs, {Name: "identity", FS: migrations},
	}
}

// SigningKeys lists and rotates the keys that sign access tokens.
type SigningKeys = app.SigningKeys

// OpenSigningKeys is for an operator's command: it needs identity's database and keys, and no running process.
func OpenSigningKeys(db *pg.DB, keys *secret.Keys, clock clock.Clock) *SigningKeys {
	return &SigningKeys{DB: db, Keys: keys, Clock: clock}
}

// Operators makes and removes operators of the deployment.
type Operators = app.OperatorCommands

// OpenOperators is for an operator's command, as OpenSigningKeys.
func OpenOperators(db *pg.DB, keys *secret.Keys, clock clock.Clock) *Operators {
	return app.NewOperatorCommands(db, keys, clock)
}

// New assembles the service. Its parts get the signing key and remove what has expired; the handlers work from the
// moment the database does.
func New(environment service.Environment, config Config) (*service.Service, error) {
	// Every process must hear of an ended session within a second.
	identity, err := service.New(environment, service.Options{Watermark: true, Erasure: erasure.Own{People: erasure.OwnPeople{
		Columns: People().AllColumns(), Last: []string{"account"}, Sweeps: []erasure.Sweep{{Name: "address", Erase: app.EraseAddress}},
	}}})
	if err != nil {
		return nil, err
	}
	passkeys, err := passkey.New(config.passkeys(environment.PublicURL))
	if err != nil {
		return nil, fmt.Errorf("assemble identity: %w", err)
	}
	permissions, err := scopeNames()
	if err != nil {
		return nil, err
	}
	issuer := token.NewIssuer(environment.DB, environment.Keys, environment.Clock)
	lookup := config.lookup(environment.Registerer)
	useCases := &app.App{
		DB: environment.DB, Keys: environment.Keys, Hasher: password.New(config.password(), environment.Registerer), Issuer: issuer,
		Providers: app.Providers{
			Own: config.Providers.providers(), RedirectURIs: config.Providers.redirectURIs(environment.PublicURL),
			Client: federation.New(federation.Config{Private: config.Providers.Private, Clock: environment.Clock}),
		},
		Membership: environment.Access,
		Passkeys:   passkeys, Avatars: avatar.New(environment.Registerer),
		Authenticator: environment.Authenticator.Authenticator, SessionLimits: config.sessionLimits(),
		Rules: &password.Rules{Lookup: lookup}, Limits: app.Limits{Network: config.GuessesPerNetwork, Everyone: config.GuessesTotal},
		Invitations:   invitations{organizationv1connect.NewInvitedRegistrationServiceClient(environment.Clients.Dial("organization"))},
		Ownership:     ownership{organizationv1connect.NewSoleOwnershipServiceClient(environment.Clients.Dial("organization"))},
		SupportGrants: supportGrants{organizationv1connect.NewSupportAccessServiceClient(environment.Clients.Dial("organization"))},
		Permissions:   permissions, PublicURL: environment.PublicURL, DeletionGrace: config.DeletionGrace,
		Clock: environment.Clock, Logger: environment.Logger,
	}
	exporting, err := addExports(environment, useCases)
	if err != nil {
		return nil, err
	}
	signingKeys := &app.SigningKeys{DB: environment.DB, Keys: environment.Keys, Clock: environment.Clock}
	rotation := &app.Rotation{Keys: signingKeys, Issuer: issuer, Lifetime: config.SigningKeyLifetime, Logger: environment.Logger}
	cleanup := app.NewCleanup(useCases, environment.Registerer)
	err = errors.Join(
		mount(identity, environment, useCases),
		identity.Consume([]string{"organization"}, consumer.Organization()),
		identity.Consume([]string{"organization"}, consumer.Support()),
		addDeletion(environment, identity, useCases),
	)
	if err != nil {
		return nil, fmt.Errorf("assemble identity: %w", err)
	}
	identity.Parts = append(identity.Parts,
		module.Part{Name: environment.Name + ".signing-key", Start: issuer.Load, Run: rotation.Run},
		module.Part{Name: environment.Name + ".cleanup", Run: cleanup.Run},
		exporting.Part(),
	)
	if lookup != nil {
		identity.Parts = append(identity.Parts, module.Part{
			Name: environment.Name + ".breach-lookup", Stop: func(context.Context) error { lookup.Close(); return nil },
		})
	}
	return identity, nil
}

// addDeletion adds the deletion of people, in the manner of organization's.
func addDeletion(environment service.Environment, built *service.Service, useCases *app.App) error {
	services := slices.Sorted(maps.Keys(environment.Topics))
	saga := deletion.New(deletion.Config{
		Kind: erasure.Person, DB: environment.DB, Services: services, Enter: useCases.EnterDeletion,
		Clock: environment.Clock, Logger: environment.Logger, Registerer: environment.Registerer,
	})
	built.Remember(slices.Collect(maps.Keys(saga.Handlers()))...)
	built.Parts = append(built.Parts, saga.Part(Name))
	return built.Consume(services, saga.Handlers())
}

// scopeNames are what a scope may name: the contract's permissions, and the services that have any.
func scopeNames() (map[string]bool, error) {
	methods, err := rpc.Catalog()
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, method := range methods {
		if method.Machines && method.Permission != "" {
			names[method.Permission], names[method.Service] = true, true
		}
	}
	return names, nil
}

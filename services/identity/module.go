// Package identity owns users, their passwords and sessions, and the keys that sign access tokens. It is the only
// package of the service that others may import; everything is built here, in reading order.
package identity

import (
	"context"
	"embed"
	"errors"
	"fmt"

	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1braid"
	"github.com/braidhq/braid/gen/go/braid/organization/v1/organizationv1connect"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/platform/secret"
	"github.com/braidhq/braid/platform/service"
	"github.com/braidhq/braid/services/identity/internal/api"
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
	return []pg.MigrationSet{
		outbox.Migrations(), inbox.Migrations(), idempotency.Migrations(), service.Migrations(), {Name: "identity", FS: migrations},
	}
}

// SigningKeys lists and rotates the keys that sign access tokens.
type SigningKeys = app.SigningKeys

// OpenSigningKeys is for an operator's command: it needs identity's database and keys, and no running process.
func OpenSigningKeys(db *pg.DB, keys *secret.Keys, clock clock.Clock) *SigningKeys {
	return &SigningKeys{DB: db, Keys: keys, Clock: clock}
}

// New assembles the service. Its parts get the signing key and remove what has expired; the handlers work from the
// moment the database does.
func New(environment service.Environment, config Config) (*service.Service, error) {
	// Every process must hear of an ended session within a second.
	identity, err := service.New(environment, service.Options{Watermark: true})
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
		Invitations: invitations{organizationv1connect.NewInvitedRegistrationServiceClient(environment.Clients.Dial("organization"))},
		Permissions: permissions, PublicURL: environment.PublicURL,
		Clock: environment.Clock, Logger: environment.Logger,
	}
	signingKeys := &app.SigningKeys{DB: environment.DB, Keys: environment.Keys, Clock: environment.Clock}
	rotation := &app.Rotation{Keys: signingKeys, Issuer: issuer, Lifetime: config.SigningKeyLifetime, Logger: environment.Logger}
	cleanup := app.NewCleanup(useCases, environment.Registerer)
	providerLinks := api.NewProviderLinks(useCases)
	err = errors.Join(
		identityv1braid.MountAuthService(identity.Server, api.NewAuth(useCases, identity.Runner)),
		identityv1braid.MountMeService(identity.Server, api.NewMe(useCases, identity.Runner)),
		identityv1braid.MountAvatarService(identity.Server, api.NewAvatars(useCases, identity.Runner)),
		identityv1braid.MountSessionService(identity.Server, api.NewSessions(useCases, identity.Runner)),
		identityv1braid.MountDeviceService(identity.Server, api.NewDevices(useCases)),
		identityv1braid.MountDirectoryService(identity.Server, api.NewDirectory(useCases)),
		identityv1braid.MountFactorService(identity.Server, api.NewFactors(useCases, identity.Runner)),
		identityv1braid.MountLoginService(identity.Server, api.NewLogin(useCases)),
		identityv1braid.MountUserSecurityService(identity.Server, api.NewUserSecurity(useCases)),
		identityv1braid.MountProviderService(identity.Server, api.NewProviders(useCases)),
		identityv1braid.MountExternalIdentityService(identity.Server, api.NewIdentities(useCases, identity.Runner)),
		identityv1braid.MountMemberFactorService(identity.Server, api.NewMemberFactors(useCases, identity.Runner)),
		identityv1braid.MountProviderLinkService(identity.Server, providerLinks),
		identityv1braid.MountProviderLinkMailService(identity.Server, providerLinks),
		identityv1braid.MountSsoConnectionService(identity.Server, api.NewSSOConnections(useCases, identity.Runner)),
		identity.Consume([]string{"organization"}, consumer.Organization()),
		identityv1braid.MountPasswordService(identity.Server, api.NewPassword(useCases)),
		identityv1braid.MountEmailService(identity.Server, api.NewEmail(useCases, identity.Runner)),
		identityv1braid.MountAccountMailService(identity.Server, api.NewAccountMail(useCases)),
		identityv1braid.MountAccessTokenService(identity.Server, api.NewAccessTokens(useCases, identity.Runner)),
		identityv1braid.MountServiceAccountService(identity.Server, api.NewServiceAccounts(useCases, identity.Runner)),
		identityv1braid.MountApiKeyService(identity.Server, api.NewAPIKeys(useCases, identity.Runner)),
		identityv1braid.MountCredentialService(identity.Server, api.NewCredentials(useCases)),
		api.NewOAuth(useCases).Mount(identity.Server),
	)
	if err != nil {
		return nil, fmt.Errorf("assemble identity: %w", err)
	}
	identity.Parts = append(identity.Parts,
		module.Part{Name: environment.Name + ".signing-key", Start: issuer.Load, Run: rotation.Run},
		module.Part{Name: environment.Name + ".cleanup", Run: cleanup.Run},
	)
	if lookup != nil {
		identity.Parts = append(identity.Parts, module.Part{
			Name: environment.Name + ".breach-lookup", Stop: func(context.Context) error { lookup.Close(); return nil },
		})
	}
	return identity, nil
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

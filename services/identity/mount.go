package identity

import (
	"errors"

	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1braid"
	"github.com/braidhq/braid/platform/person"
	"github.com/braidhq/braid/platform/service"
	"github.com/braidhq/braid/services/identity/internal/api"
	"github.com/braidhq/braid/services/identity/internal/app"
)

// mount adds the service's RPCs, and what speaks OAuth's own forms.
func mount(identity *service.Service, environment service.Environment, useCases *app.App) error {
	operators := api.NewOperators(useCases, identity.Runner)
	providerLinks := api.NewProviderLinks(useCases)
	exports, deletion := api.NewDataExports(useCases, identity.Runner), api.NewDeletion(useCases, identity.Runner)
	return errors.Join(
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
		identityv1braid.MountPasswordService(identity.Server, api.NewPassword(useCases)),
		identityv1braid.MountEmailService(identity.Server, api.NewEmail(useCases, identity.Runner)),
		identityv1braid.MountAccountMailService(identity.Server, api.NewAccountMail(useCases)),
		identityv1braid.MountAccessTokenService(identity.Server, api.NewAccessTokens(useCases, identity.Runner)),
		identityv1braid.MountServiceAccountService(identity.Server, api.NewServiceAccounts(useCases, identity.Runner)),
		identityv1braid.MountApiKeyService(identity.Server, api.NewAPIKeys(useCases, identity.Runner)),
		identityv1braid.MountCredentialService(identity.Server, api.NewCredentials(useCases)),
		identityv1braid.MountPersonDataService(identity.Server, person.NewHandler(environment.DB, People())),
		identityv1braid.MountDataExportService(identity.Server, exports),
		identityv1braid.MountDataExportMailService(identity.Server, exports),
		api.NewOAuth(useCases).Mount(identity.Server),
		identityv1braid.MountOperatorService(identity.Server, operators),
		identityv1braid.MountOperatorUserService(identity.Server, operators),
		identityv1braid.MountImpersonationService(identity.Server, api.NewImpersonations(useCases, identity.Runner)),
		identityv1braid.MountAccountDeletionService(identity.Server, deletion),
		identityv1braid.MountAccountDeletionMailService(identity.Server, deletion),
	)
}

// Package organization is the bounded context of tenants: organizations, who belongs to them, who is invited, and what
// each member may do. It owns the database braid_organization and nothing outside it; people are identity's, of whom it
// keeps a copy of name and address. This file is the only way in for other packages.
package organization

import (
	"embed"
	"fmt"
	"maps"
	"slices"

	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	"github.com/braidhq/braid/gen/go/braid/organization/v1/organizationv1braid"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/deletion"
	"github.com/braidhq/braid/platform/erasure"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/job"
	"github.com/braidhq/braid/platform/outbox"
	about "github.com/braidhq/braid/platform/person"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/platform/service"
	"github.com/braidhq/braid/services/organization/internal/api"
	"github.com/braidhq/braid/services/organization/internal/app"
	"github.com/braidhq/braid/services/organization/internal/consumer"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// Name is the service's, and the first part of its permissions and events.
const Name = "organization"

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns what makes the service's database, in order.
func Migrations() []pg.MigrationSet {
	jobs, err := job.Migrations()
	if err != nil {
		// They are compiled in: this is a broken build, which nothing at run time can mend.
		panic(Name + ": " + err.Error())
	}
	return []pg.MigrationSet{
		outbox.Migrations(), inbox.Migrations(), idempotency.Migrations(), service.Migrations(), jobs, {Name: Name, FS: migrations},
	}
}

// New builds the service. Its relay promises watermarks: every process must hear within a second who may do what.
func New(environment service.Environment, config Config) (*service.Service, error) {
	roles, err := rolesOfContract()
	if err != nil {
		return nil, fmt.Errorf("assemble %s: %w", Name, err)
	}
	base, err := authz.NewBase()
	if err != nil {
		return nil, fmt.Errorf("assemble %s: %w", Name, err)
	}
	resourceTypes, err := resourceTypesOfContract()
	if err != nil {
		return nil, fmt.Errorf("assemble %s: %w", Name, err)
	}
	useCases := &app.App{
		DB: environment.DB, Clock: environment.Clock, Roles: roles, Base: base, ResourceTypes: resourceTypes,
		Directory: directory{identityv1connect.NewDirectoryServiceClient(environment.Clients.Dial("identity"))},
		Tokens:    app.Tokens{Keys: environment.Keys}, Resolver: newResolver(config.DNSServer),
		DropAccess: environment.Access.Drop, RecallAccess: environment.Access.Recall,
		DropOrganization: environment.Access.DropOrganization, Authorize: environment.Access.Authorize, DeletionGrace: config.DeletionGrace,
	}
	built, err := service.New(environment, service.Options{Watermark: true, Erasure: erasure.Own{People: useCases.Leaving(People().AllColumns())}})
	if err != nil {
		return nil, err
	}
	people := about.NewHandler(environment.DB, People())
	if err := mount(built.Server, api.New(useCases, built.Runner, environment.PublicURL), people); err != nil {
		return nil, fmt.Errorf("assemble %s: %w", Name, err)
	}
	if err := built.Consume([]string{"identity"}, consumer.Identity(useCases)); err != nil {
		return nil, err
	}
	jobs, err := newJobs(environment, useCases)
	if err != nil {
		return nil, err
	}
	built.Parts = append(built.Parts, jobs.Part())
	// Every service may be the one that an operator used.
	if err := built.Consume(slices.Sorted(maps.Keys(environment.Topics)), consumer.Support(useCases)); err != nil {
		return nil, err
	}
	return built, addDeletion(environment, built, useCases)
}

// addDeletion adds the deletion of organizations. Every service that there is takes part in it, because each has a topic;
// its answers are heard also after this service has erased the organization.
func addDeletion(environment service.Environment, built *service.Service, useCases *app.App) error {
	services := slices.Sorted(maps.Keys(environment.Topics))
	saga := deletion.New(deletion.Config{
		Kind: erasure.Organization, DB: environment.DB, Services: services, Enter: useCases.EnterDeletion,
		Clock: environment.Clock, Logger: environment.Logger, Registerer: environment.Registerer,
	})
	built.Remember(slices.Collect(maps.Keys(saga.Handlers()))...)
	built.Parts = append(built.Parts, saga.Part(Name))
	return built.Consume(services, saga.Handlers())
}

// newJobs returns what the service does without having been asked.
func newJobs(environment service.Environment, useCases *app.App) (*job.Queue, error) {
	handlers := job.NewHandlers()
	if err := job.Handle(handlers, app.CheckTimeout, useCases.CheckDomains); err != nil {
		return nil, fmt.Errorf("assemble %s: %w", Name, err)
	}
	return job.New(job.Config{
		Service: Name, DB: environment.DB, Handlers: handlers, Queues: map[string]int{job.DefaultQueue: 1},
		Periodic: []job.Periodic{{Every: app.CheckEvery, Args: app.CheckDomains{}}},
		Clock:    environment.Clock, Logger: environment.Logger, Registerer: environment.Registerer,
	})
}

// rolesOfContract gives the system roles the permissions that the contract's methods ask for; there are no others.
func rolesOfContract() (*domain.Roles, error) {
	methods, err := rpc.Catalog()
	if err != nil {
		return nil, err
	}
	least := map[string]string{}
	for _, method := range methods {
		if method.Permission == "" {
			continue
		}
		if other, ok := least[method.Permission]; ok && other != method.Role {
			return nil, fmt.Errorf("the permission %s is given to %s by one method and to %s by another", method.Permission, other, method.Role)
		}
		least[method.Permission] = method.Role
	}
	return domain.NewRoles(least)
}

// resourceTypesOfContract lists what the contract's methods ask permissions for, sorted.
func resourceTypesOfContract() ([]string, error) {
	methods, err := rpc.Catalog()
	if err != nil {
		return nil, err
	}
	var types []string
	for _, method := range methods {
		if method.ResourceType != "" {
			types = append(types, method.ResourceType)
		}
	}
	slices.Sort(types)
	return slices.Compact(types), nil
}

func mount(server *rpc.Server, handlers *api.Handlers, people *about.Handler) error {
	for _, err := range []error{
		organizationv1braid.MountOrganizationService(server, handlers),
		organizationv1braid.MountPersonDataService(server, people),
		organizationv1braid.MountMemberService(server, handlers),
		organizationv1braid.MountInvitationService(server, handlers),
		organizationv1braid.MountInvitationMailService(server, handlers),
		organizationv1braid.MountInvitedRegistrationService(server, handlers),
		organizationv1braid.MountRoleService(server, handlers),
		organizationv1braid.MountAccessService(server, handlers),
		organizationv1braid.MountPermissionService(server, handlers),
		organizationv1braid.MountAssignmentService(server, handlers),
		organizationv1braid.MountAuthzenService(server, handlers),
		organizationv1braid.MountTeamService(server, handlers),
		organizationv1braid.MountTeamMemberService(server, handlers),
		organizationv1braid.MountSuspensionService(server, handlers),
		organizationv1braid.MountOwnershipService(server, handlers),
		organizationv1braid.MountOwnershipMailService(server, handlers),
		organizationv1braid.MountInvitationBatchService(server, handlers),
		organizationv1braid.MountInvitationLinkService(server, handlers),
		organizationv1braid.MountDomainService(server, handlers),
		organizationv1braid.MountDomainMailService(server, handlers),
		organizationv1braid.MountJoinService(server, handlers),
		organizationv1braid.MountDeletionService(server, handlers),
		organizationv1braid.MountOrganizationSuspensionService(server, handlers),
		organizationv1braid.MountOperatorOrganizationService(server, handlers),
		organizationv1braid.MountPolicyService(server, handlers),
		organizationv1braid.MountSupportGrantService(server, handlers),
		organizationv1braid.MountBreakGlassService(server, handlers),
		organizationv1braid.MountSupportAccessService(server, handlers),
		organizationv1braid.MountOwnerService(server, handlers),
		organizationv1braid.MountSoleOwnershipService(server, handlers),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

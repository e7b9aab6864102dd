// Package workflow is the bounded context of projects, tasks and comments, and of watching them live. This package is
// all that others may import of it: it builds the service.
package workflow

import (
	"embed"
	"time"

	"github.com/braidhq/braid/gen/go/braid/workflow/v1/workflowv1braid"
	"github.com/braidhq/braid/platform/erasure"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/person"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/platform/service"
	"github.com/braidhq/braid/services/workflow/internal/api"
	"github.com/braidhq/braid/services/workflow/internal/app"
	"github.com/braidhq/braid/services/workflow/internal/consumer"
	"github.com/braidhq/braid/services/workflow/internal/live"
)

// Name is the service's name, in configuration, topics and databases.
const Name = "workflow"

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns everything the service's database needs, in order.
func Migrations() []pg.MigrationSet {
	return []pg.MigrationSet{
		outbox.Migrations(), inbox.Migrations(), idempotency.Migrations(), service.Migrations(),
		{Name: "workflow", FS: migrations},
	}
}

const (
	// accessInterval keeps the promise that who lost access sees nothing after a second.
	accessInterval = 500 * time.Millisecond
	accessGrace    = 5 * time.Second
	pollInterval   = time.Second
)

// New builds the service.
func New(environment service.Environment, config Config) (*service.Service, error) {
	built, err := service.New(environment, service.Options{Erasure: erasure.Own{People: erasure.OwnPeople{Columns: People().AllColumns()}}})
	if err != nil {
		return nil, err
	}
	hub := live.NewHub(environment.DB, live.Config{
		Heartbeat: config.WatchHeartbeat, AccessInterval: accessInterval, AccessGrace: accessGrace, PollInterval: pollInterval,
		MaxStreams: config.MaxStreams, MaxUserStreams: config.MaxStreamsPerUser,
	}, environment.Clock, environment.Logger, environment.Registerer)
	cases := app.New(environment.DB, environment.Clock, environment.Access, hub.Changed)
	watching := api.Watching{Authenticator: environment.Authenticator, Authorizer: environment.Access}
	if err := mount(built.Server, cases, built.Runner, hub, watching); err != nil {
		return nil, err
	}
	members := consumer.NewOrganization(cases)
	if err := built.Consume([]string{"organization"}, members.Handlers(), members.Single()...); err != nil {
		return nil, err
	}
	if err := workflowv1braid.MountPersonDataService(built.Server, person.NewHandler(environment.DB, People())); err != nil {
		return nil, err
	}
	cleaner := live.NewCleaner(environment.DB, config.ChangeRetention, environment.Clock, environment.Logger)
	built.Parts = append(built.Parts, hub.Part(environment.Name), cleaner.Part(environment.Name))
	return built, nil
}

func mount(server *rpc.Server, cases *app.App, runner idempotency.Runner, hub *live.Hub, watching api.Watching) error {
	if err := workflowv1braid.MountProjectService(server, api.NewProjects(cases, runner, hub, watching)); err != nil {
		return err
	}
	if err := workflowv1braid.MountTaskService(server, api.NewTasks(cases, runner)); err != nil {
		return err
	}
	return workflowv1braid.MountCommentService(server, api.NewComments(cases, runner))
}

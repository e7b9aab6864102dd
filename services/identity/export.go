package identity

import (
	"fmt"
	"maps"
	"slices"

	"github.com/braidhq/braid/platform/job"
	"github.com/braidhq/braid/platform/person"
	"github.com/braidhq/braid/platform/service"
	"github.com/braidhq/braid/services/identity/internal/app"
)

// exportWorkers is how many people's data one process collects at a time.
const exportWorkers = 2

// addExports lets the use cases collect what there is of people, from every service that there is: each has a topic. Who
// somebody is comes first.
func addExports(environment service.Environment, useCases *app.App) (*job.Queue, error) {
	others := slices.DeleteFunc(slices.Sorted(maps.Keys(environment.Topics)), func(name string) bool { return name == environment.Name })
	for _, name := range append([]string{environment.Name}, others...) {
		client, address := environment.Clients.Dial(name)
		useCases.Exports.Services = append(useCases.Exports.Services, person.NewClient(name, client, address))
	}
	handlers := job.NewHandlers()
	if err := job.Handle(handlers, app.CollectTimeout, useCases.CollectData); err != nil {
		return nil, fmt.Errorf("assemble %s: %w", Name, err)
	}
	jobs, err := job.New(job.Config{
		Service: Name, DB: environment.DB, Handlers: handlers, Queues: map[string]int{job.DefaultQueue: exportWorkers},
		Clock: environment.Clock, Logger: environment.Logger, Registerer: environment.Registerer,
	})
	if err != nil {
		return nil, fmt.Errorf("assemble %s: %w", Name, err)
	}
	useCases.Exports.Jobs = jobs
	return jobs, nil
}

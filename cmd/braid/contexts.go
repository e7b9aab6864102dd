package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/braidhq/braid/gateway"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/service"
	"github.com/braidhq/braid/services/audit"
	"github.com/braidhq/braid/services/identity"
	"github.com/braidhq/braid/services/notification"
	"github.com/braidhq/braid/services/organization"
	"github.com/braidhq/braid/services/workflow"
)

// boundedContext is one service as the binary knows it.
type boundedContext struct {
	name       string
	migrations func() []pg.MigrationSet
	build      func(settings *settings, environment service.Environment) (*service.Service, error)
}

// contexts are all services, in the order they are built and migrated.
var contexts = []boundedContext{
	{identity.Name, identity.Migrations, func(s *settings, e service.Environment) (*service.Service, error) {
		return identity.New(e, s.Identity.Config)
	}},
	{organization.Name, organization.Migrations, func(s *settings, e service.Environment) (*service.Service, error) {
		return organization.New(e, s.Organization.Config)
	}},
	{workflow.Name, workflow.Migrations, func(s *settings, e service.Environment) (*service.Service, error) {
		return workflow.New(e, s.Workflow.Config)
	}},
	{notification.Name, notification.Migrations, func(s *settings, e service.Environment) (*service.Service, error) {
		return notification.New(e, s.Notification.Config)
	}},
	{audit.Name, audit.Migrations, func(s *settings, e service.Environment) (*service.Service, error) {
		return audit.New(e, s.Audit.Config)
	}},
}

// serviceNames lists the services, without the gateway.
func serviceNames() []string {
	names := make([]string, 0, len(contexts))
	for _, bounded := range contexts {
		names = append(names, bounded.name)
	}
	return names
}

// keyHolders lists everybody who signs service tokens.
func keyHolders() []string { return append(serviceNames(), gateway.Name) }

// chooseServices checks the names given to --services. Empty means all with the gateway.
func chooseServices(names []string) ([]string, error) {
	known := keyHolders()
	if len(names) == 0 {
		return known, nil
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("--services: there is no service %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	return names, nil
}

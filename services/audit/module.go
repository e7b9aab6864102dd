// Package audit is the bounded context of who did what, and when: it turns every event of the other services into a
// record that nobody changes any more, and shows organizations theirs. It owns the database braid_audit and nothing
// outside it, and takes part in nothing that it records. This file is the only way in for other packages.
package audit

import (
	"embed"
	"fmt"

	"github.com/braidhq/braid/gen/go/braid/audit/v1/auditv1braid"
	"github.com/braidhq/braid/platform/erasure"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/person"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/service"
	"github.com/braidhq/braid/services/audit/internal/api"
	"github.com/braidhq/braid/services/audit/internal/app"
	"github.com/braidhq/braid/services/audit/internal/consumer"
)

// Name is the service's, and the first part of its permissions.
const Name = "audit"

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns what makes the service's database, in order.
func Migrations() []pg.MigrationSet {
	return []pg.MigrationSet{
		outbox.Migrations(), inbox.Migrations(), idempotency.Migrations(), service.Migrations(), {Name: Name, FS: migrations},
	}
}

// New builds the service.
func New(environment service.Environment, _ Config) (*service.Service, error) {
	useCases := &app.App{DB: environment.DB, Clock: environment.Clock}
	built, err := service.New(environment, service.Options{Erasure: erasure.Own{
		Keep:   []string{"audit_record", "audit_entry"},
		Sweeps: []erasure.Sweep{{Name: "audit_body", Erase: useCases.EraseOrganizationBodies}},
		People: erasure.OwnPeople{Columns: People().AllColumns()},
	}})
	if err != nil {
		return nil, err
	}
	recorder := consumer.New(useCases, environment.Logger, environment.Registerer)
	// What is told of an organization that was erased is recorded as well: that it was, above all.
	built.Remember(inbox.Any)
	if err := built.Consume(consumer.Sources(environment.Topics, Name), recorder.Handlers()); err != nil {
		return nil, err
	}
	if err := auditv1braid.MountAuditService(built.Server, api.New(useCases)); err != nil {
		return nil, fmt.Errorf("assemble %s: %w", Name, err)
	}
	if err := auditv1braid.MountPersonDataService(built.Server, person.NewHandler(environment.DB, People())); err != nil {
		return nil, fmt.Errorf("assemble %s: %w", Name, err)
	}
	return built, nil
}

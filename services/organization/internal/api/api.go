// Package api speaks the contract of the organization service: it decodes requests, runs a use case and encodes the
// answer. Authentication, validation and the method's permission are behind it already; it decides nothing itself.
package api

import (
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/services/organization/internal/app"
)

// Handlers implements the services of braid.organization.v1.
type Handlers struct {
	app    *app.App
	runner idempotency.Runner
	// publicURL is where people reach the gateway.
	publicURL string
}

// New returns the handlers over the use cases.
func New(app *app.App, runner idempotency.Runner, publicURL string) *Handlers {
	return &Handlers{app: app, runner: runner, publicURL: publicURL}
}

// Package consumer turns other services' events into calls of app, one file per service. What it decodes it only
// reads; the rules are domain's.
package consumer

import (
	"fmt"
	"maps"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/services/notification/internal/app"
)

// Sources are the services whose events are consumed.
func Sources() []string { return []string{"identity", "organization", "workflow"} }

// Handlers returns a handler for each type of event that anybody is told of.
func Handlers(notifier *app.Notifier) map[string]inbox.Handler {
	handlers := map[string]inbox.Handler{}
	maps.Copy(handlers, identityHandlers(notifier))
	maps.Copy(handlers, securityHandlers(notifier))
	maps.Copy(handlers, dataExportHandlers(notifier))
	maps.Copy(handlers, organizationHandlers(notifier))
	maps.Copy(handlers, supportHandlers(notifier))
	maps.Copy(handlers, workflowHandlers(notifier))
	return handlers
}

// parseID reads an identifier of a payload. One that is none will not become one by another try.
func parseID(field, text string) (id.ID, error) {
	parsed, err := id.Parse(text)
	if err != nil {
		return id.ID{}, fmt.Errorf("%w: %s is %w", bus.ErrMalformed, field, err)
	}
	return parsed, nil
}

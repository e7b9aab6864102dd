// Package consumer turns other services' events into changes here. Each handler is right when it runs twice and when
// events of different users come in any order.
package consumer

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/app"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// Identity returns the handlers of identity's events.
func Identity(app *app.App) map[string]inbox.Handler {
	return map[string]inbox.Handler{
		"identity.user.updated": updateProfile(app), "identity.sso.user_provisioned": provisionMember(app),
		"identity.sso.bypassed":           tellOfBypass(app),
		"identity.sso_connection.created": keepRequirement(app, func() connection { return &identityv1.SsoConnectionCreated{} }),
		"identity.sso_connection.updated": keepRequirement(app, func() connection { return &identityv1.SsoConnectionUpdated{} }),
		"identity.sso_connection.deleted": keepRequirement(app, func() connection { return &identityv1.SsoConnectionDeleted{} }),
	}
}

func updateProfile(app *app.App) inbox.Handler {
	return inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		updated := &identityv1.UserUpdated{}
		if err := event.Unmarshal(updated); err != nil {
			return err
		}
		userID, err := id.Parse(updated.GetUserId())
		if err != nil {
			return fmt.Errorf("read user: %w", err)
		}
		return app.KeepProfile(ctx, tx, domain.Person{
			UserID: userID, DisplayName: updated.GetDisplayName(), Email: updated.GetEmail(), Revision: updated.GetRevision(),
			Title: updated.GetTitle(), AvatarPath: updated.GetAvatarPath(),
		})
	})
}

// provisionMember has somebody join who signed in by the organization's connection.
func provisionMember(app *app.App) inbox.Handler {
	return inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		provisioned := &identityv1.SsoUserProvisioned{}
		if err := event.Unmarshal(provisioned); err != nil {
			return err
		}
		organizationID, err := id.Parse(provisioned.GetOrganizationId())
		if err != nil {
			return fmt.Errorf("read organization: %w", err)
		}
		userID, err := id.Parse(provisioned.GetUserId())
		if err != nil {
			return fmt.Errorf("read user: %w", err)
		}
		return app.ProvisionMember(ctx, tx, organizationID, provisioned.GetRoleId(), domain.Person{
			UserID: userID, DisplayName: provisioned.GetDisplayName(), Email: provisioned.GetEmail(), Revision: provisioned.GetRevision(),
			Title: provisioned.GetTitle(), AvatarPath: provisioned.GetAvatarPath(),
		})
	})
}

// connection is an event about an organization's connection; one that is gone is required of nobody.
type connection interface {
	proto.Message
	GetOrganizationId() string
	GetSsoConnectionId() string
}

// keepRequirement takes over whether people have to sign in by the connection. The events of an organization come in order.
func keepRequirement(app *app.App, empty func() connection) inbox.Handler {
	return inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		told := empty()
		if err := event.Unmarshal(told); err != nil {
			return err
		}
		organizationID, err := id.Parse(told.GetOrganizationId())
		if err != nil {
			return fmt.Errorf("read organization: %w", err)
		}
		connectionID, err := id.Parse(told.GetSsoConnectionId())
		if err != nil {
			return fmt.Errorf("read connection: %w", err)
		}
		living, ok := told.(interface{ GetRequired() bool })
		return app.KeepSSORequirement(ctx, tx, organizationID, connectionID, ok && living.GetRequired())
	})
}

// tellOfBypass has the owners told that one of them broke the glass.
func tellOfBypass(app *app.App) inbox.Handler {
	return inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		bypassed := &identityv1.SsoBypassed{}
		if err := event.Unmarshal(bypassed); err != nil {
			return err
		}
		organizationID, err := id.Parse(bypassed.GetOrganizationId())
		if err != nil {
			return fmt.Errorf("read organization: %w", err)
		}
		userID, err := id.Parse(bypassed.GetUserId())
		if err != nil {
			return fmt.Errorf("read user: %w", err)
		}
		return app.TellOfBypass(ctx, tx, organizationID, userID)
	})
}

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

// ofServiceAccount is what every event of a service account names.
type ofServiceAccount interface {
	proto.Message
	GetOrganizationId() string
	GetServiceAccountId() string
}

// heardServiceAccount is an event that holds what a service account is after it.
type heardServiceAccount interface {
	ofServiceAccount
	GetDisplayName() string
	GetRevision() int64
}

// keepServiceAccount keeps the copy without which nobody can give a service account a role.
func keepServiceAccount(app *app.App, newMessage func() heardServiceAccount) inbox.Handler {
	return inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		heard := newMessage()
		organizationID, serviceAccountID, err := readServiceAccount(event, heard)
		if err != nil {
			return err
		}
		return app.KeepServiceAccount(ctx, tx, domain.ServiceAccountCopy{
			OrganizationID: organizationID, ID: serviceAccountID, DisplayName: heard.GetDisplayName(), Revision: heard.GetRevision(),
		})
	})
}

func removeServiceAccount(app *app.App) inbox.Handler {
	return inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		organizationID, serviceAccountID, err := readServiceAccount(event, &identityv1.ServiceAccountDeleted{})
		if err != nil {
			return err
		}
		return app.RemoveServiceAccount(ctx, tx, organizationID, serviceAccountID)
	})
}

func readServiceAccount(event bus.Event, message ofServiceAccount) (organizationID, serviceAccountID id.ID, err error) {
	if err := event.Unmarshal(message); err != nil {
		return id.ID{}, id.ID{}, err
	}
	if organizationID, err = id.Parse(message.GetOrganizationId()); err != nil {
		return id.ID{}, id.ID{}, fmt.Errorf("read organization: %w", err)
	}
	if serviceAccountID, err = id.Parse(message.GetServiceAccountId()); err != nil {
		return id.ID{}, id.ID{}, fmt.Errorf("read service account: %w", err)
	}
	return organizationID, serviceAccountID, nil
}

// Package consumer turns other services' events into changes here. Each handler is right when it runs twice.
package consumer

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/app"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// Organization returns the handlers of organization's events: they keep what is known of verified domains. An
// organization's events come in order; of two organizations' the later verification wins, whichever comes first.
func Organization() map[string]inbox.Handler {
	return map[string]inbox.Handler{
		bus.TypeOf(&organizationv1.DomainVerified{}): inbox.Each(keepDomain),
		bus.TypeOf(&organizationv1.DomainUpdated{}):  inbox.Each(captureDomain),
		bus.TypeOf(&organizationv1.DomainLost{}): dropDomain(func() lostDomain {
			return &organizationv1.DomainLost{}
		}),
		bus.TypeOf(&organizationv1.DomainDeleted{}): dropDomain(func() lostDomain {
			return &organizationv1.DomainDeleted{}
		}),
	}
}

func keepDomain(ctx context.Context, tx *pg.Tx, event bus.Event) error {
	verified := &organizationv1.DomainVerified{}
	if err := event.Unmarshal(verified); err != nil {
		return err
	}
	organizationID, domainID, err := placeOf(verified)
	if err != nil {
		return err
	}
	return app.KeepDomain(ctx, tx, domain.VerifiedDomain{
		OrganizationID: organizationID, DomainID: domainID, Domain: domain.MailDomain(verified.GetName()),
		Capture: verified.GetCapture(), VerifiedAt: event.Time,
	})
}

func captureDomain(ctx context.Context, tx *pg.Tx, event bus.Event) error {
	updated := &organizationv1.DomainUpdated{}
	if err := event.Unmarshal(updated); err != nil {
		return err
	}
	organizationID, domainID, err := placeOf(updated)
	if err != nil {
		return err
	}
	return app.CaptureDomain(ctx, tx, organizationID, domainID, updated.GetCapture())
}

func dropDomain(newMessage func() lostDomain) inbox.Handler {
	return inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		gone := newMessage()
		if err := event.Unmarshal(gone); err != nil {
			return err
		}
		organizationID, domainID, err := placeOf(gone)
		if err != nil {
			return err
		}
		return app.DropDomain(ctx, tx, organizationID, domainID)
	})
}

// place is what every event of a domain names.
type place interface {
	GetOrganizationId() string
	GetDomainId() string
}

func placeOf(message place) (organizationID, domainID id.ID, err error) {
	if organizationID, err = id.Parse(message.GetOrganizationId()); err != nil {
		return id.ID{}, id.ID{}, fmt.Errorf("read organization: %w", err)
	}
	if domainID, err = id.Parse(message.GetDomainId()); err != nil {
		return id.ID{}, id.ID{}, fmt.Errorf("read domain: %w", err)
	}
	return organizationID, domainID, nil
}

// lostDomain is an event after which a domain is the organization's no more.
type lostDomain interface {
	proto.Message
	place
}

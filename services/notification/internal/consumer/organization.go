package consumer

import (
	"context"

	"google.golang.org/protobuf/proto"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/app"
	"github.com/braidhq/braid/services/notification/internal/domain"
)

// organizationHandlers know what somebody outside the product, or an owner, has to be mailed. That a member was removed needs no handler: membership is asked of its
// owner whenever somebody is told something.
func organizationHandlers(notifier *app.Notifier) map[string]inbox.Handler {
	return map[string]inbox.Handler{
		bus.TypeOf(&organizationv1.InvitationSent{}): inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
			var payload organizationv1.InvitationSent
			if err := event.Unmarshal(&payload); err != nil {
				return err
			}
			organizationID, err := parseID("organization_id", payload.GetOrganizationId())
			if err != nil {
				return err
			}
			invitationID, err := parseID("invitation_id", payload.GetInvitationId())
			if err != nil {
				return err
			}
			return notifier.PlanInvitationMail(ctx, tx, event.ID, organizationID, invitationID, event.Time)
		}),
		bus.TypeOf(&organizationv1.OwnershipOffered{}): inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
			var payload organizationv1.OwnershipOffered
			if err := event.Unmarshal(&payload); err != nil {
				return err
			}
			organizationID, err := parseID("organization_id", payload.GetOrganizationId())
			if err != nil {
				return err
			}
			transferID, err := parseID("transfer_id", payload.GetTransferId())
			if err != nil {
				return err
			}
			return notifier.PlanOwnershipMail(ctx, tx, event.ID, organizationID, transferID, event.Time)
		}),
		bus.TypeOf(&organizationv1.DomainLost{}): inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
			var payload organizationv1.DomainLost
			if err := event.Unmarshal(&payload); err != nil {
				return err
			}
			return planDomainMails(ctx, tx, notifier, event, &payload)
		}),
		bus.TypeOf(&organizationv1.SsoRequirementBypassed{}): inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
			var payload organizationv1.SsoRequirementBypassed
			if err := event.Unmarshal(&payload); err != nil {
				return err
			}
			organizationID, err := parseID("organization_id", payload.GetOrganizationId())
			if err != nil {
				return err
			}
			bypassing, err := parseID("user_id", payload.GetUserId())
			if err != nil {
				return err
			}
			owners, err := parseOwners(payload.GetOwnerIds())
			if err != nil {
				return err
			}
			return notifier.PlanBypassMails(ctx, tx, event.ID, organizationID, bypassing, owners, event.Time)
		}),
		bus.TypeOf(&organizationv1.OrganizationDeletionRequested{}): mailOwners[organizationv1.OrganizationDeletionRequested](notifier, domain.OrganizationDeletionRequested),
		bus.TypeOf(&organizationv1.OrganizationDeletionCancelled{}): mailOwners[organizationv1.OrganizationDeletionCancelled](notifier, domain.OrganizationDeletionCancelled),
		bus.TypeOf(&organizationv1.PolicyUpdated{}):                 mailOwners[organizationv1.PolicyUpdated](notifier, domain.PolicyChanged),
	}
}

// aboutOrganization is an event that every owner hears of.
type aboutOrganization[T any] interface {
	*T
	proto.Message
	GetOrganizationId() string
	GetOwnerIds() []string
}

func mailOwners[T any, P aboutOrganization[T]](notifier *app.Notifier, kind domain.Kind) inbox.Handler {
	return inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		told := P(new(T))
		if err := event.Unmarshal(told); err != nil {
			return err
		}
		organizationID, err := parseID("organization_id", told.GetOrganizationId())
		if err != nil {
			return err
		}
		owners, err := parseOwners(told.GetOwnerIds())
		if err != nil {
			return err
		}
		return notifier.PlanOwnerMails(ctx, tx, event.ID, kind, organizationID, event.Actor.UserID, owners, event.Time)
	})
}

func planDomainMails(ctx context.Context, tx *pg.Tx, notifier *app.Notifier, event bus.Event, lost *organizationv1.DomainLost) error {
	organizationID, err := parseID("organization_id", lost.GetOrganizationId())
	if err != nil {
		return err
	}
	domainID, err := parseID("domain_id", lost.GetDomainId())
	if err != nil {
		return err
	}
	owners, err := parseOwners(lost.GetOwnerIds())
	if err != nil {
		return err
	}
	return notifier.PlanDomainMails(ctx, tx, event.ID, organizationID, domainID, owners, event.Time)
}

func parseOwners(texts []string) ([]id.ID, error) {
	owners := make([]id.ID, 0, len(texts))
	for _, text := range texts {
		owner, err := parseID("owner_ids", text)
		if err != nil {
			return nil, err
		}
		owners = append(owners, owner)
	}
	return owners, nil
}

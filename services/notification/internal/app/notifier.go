package app

import (
	"context"
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/job"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/domain"
	"github.com/braidhq/braid/services/notification/internal/store"
)

// Notifier turns facts into notifications and planned mails, in the consumer's transaction. Everything it writes is
// keyed by event and person: a fact told twice changes nothing.
type Notifier struct {
	Membership Membership
	Jobs       Jobs
}

// TellTask tells those concerned by a fact about a task, as far as they are members at this moment: who has left must
// not learn what happens later. It answers Unavailable when nobody can say who is a member.
func (n *Notifier) TellTask(ctx context.Context, tx *pg.Tx, fact domain.TaskFact) error {
	var members []id.ID
	for _, userID := range fact.Recipients() {
		err := n.Membership.Authorize(ctx, fact.OrganizationID, userID, "")
		switch {
		case err == nil:
			members = append(members, userID)
		case errs.KindOf(err) != errs.NotFound:
			return err
		}
	}
	if len(members) == 0 {
		return nil
	}
	if err := store.InsertNotifications(ctx, tx, fact, members); err != nil {
		return err
	}
	deliveries, err := store.InsertTaskDeliveries(ctx, tx, fact, members)
	if err != nil {
		return err
	}
	for _, deliveryID := range deliveries {
		// A delivery that the person did not want is not there; its job finds nothing and ends. That is cheaper than
		// waiting here for the database to say which ones there are.
		if err := n.enqueue(ctx, tx, deliveryID, TaskQueue); err != nil {
			return err
		}
	}
	return nil
}

// PlanRegistrationMail plans the mail of a registration.
func (n *Notifier) PlanRegistrationMail(ctx context.Context, tx *pg.Tx, eventID, registrationID id.ID, happened time.Time) error {
	return n.planMail(ctx, tx, eventID, happened, domain.Delivery{Kind: domain.Registration, RegistrationID: registrationID})
}

// PlanInvitationMail plans the mail of an invitation.
func (n *Notifier) PlanInvitationMail(ctx context.Context, tx *pg.Tx, eventID, organizationID, invitationID id.ID, happened time.Time) error {
	return n.planMail(ctx, tx, eventID, happened, domain.Delivery{
		Kind: domain.Invitation, OrganizationID: organizationID, InvitationID: invitationID,
	})
}

// PlanDeviceMail plans the mail about a device that a user signed in with for the first time.
func (n *Notifier) PlanDeviceMail(ctx context.Context, tx *pg.Tx, eventID, userID, deviceID id.ID, happened time.Time) error {
	return n.planMail(ctx, tx, eventID, happened, domain.Delivery{Kind: domain.NewDevice, UserID: userID, DeviceID: deviceID})
}

// PlanAccountMails plans a mail of each kind about a matter of somebody's account.
func (n *Notifier) PlanAccountMails(ctx context.Context, tx *pg.Tx, eventID, matterID id.ID, happened time.Time, kinds ...domain.Kind) error {
	for _, kind := range kinds {
		if err := n.planMail(ctx, tx, eventID, happened, domain.Delivery{Kind: kind, AccountMatterID: matterID}); err != nil {
			return err
		}
	}
	return nil
}

// PlanOwnershipMail plans the mail of an offered ownership.
func (n *Notifier) PlanOwnershipMail(ctx context.Context, tx *pg.Tx, eventID, organizationID, transferID id.ID, happened time.Time) error {
	return n.planMail(ctx, tx, eventID, happened, domain.Delivery{
		Kind: domain.OwnershipOffer, OrganizationID: organizationID, TransferID: transferID,
	})
}

// PlanDomainMails plans a mail about a lost domain for each owner.
func (n *Notifier) PlanDomainMails(ctx context.Context, tx *pg.Tx, eventID, organizationID, domainID id.ID, owners []id.ID, happened time.Time) error {
	for _, owner := range owners {
		if err := n.planMail(ctx, tx, eventID, happened, domain.Delivery{
			Kind: domain.DomainLost, OrganizationID: organizationID, UserID: owner, DomainID: domainID,
		}); err != nil {
			return err
		}
	}
	return nil
}

// PlanSupportMails plans a mail about a support grant for each owner.
func (n *Notifier) PlanSupportMails(ctx context.Context, tx *pg.Tx, eventID id.ID, kind domain.Kind, organizationID, grantID id.ID, owners []id.ID, happened time.Time) error {
	for _, owner := range owners {
		if err := n.planMail(ctx, tx, eventID, happened, domain.Delivery{
			Kind: kind, OrganizationID: organizationID, UserID: owner, SupportGrantID: grantID,
		}); err != nil {
			return err
		}
	}
	return nil
}

// PlanBypassMails plans a mail for each owner about one of them who signed in past the required connection; that one is told
// by a mail of their own.
func (n *Notifier) PlanBypassMails(ctx context.Context, tx *pg.Tx, eventID, organizationID, bypassing id.ID, owners []id.ID, happened time.Time) error {
	for _, owner := range owners {
		if owner == bypassing {
			continue
		}
		if err := n.planMail(ctx, tx, eventID, happened, domain.Delivery{
			Kind: domain.SSOBroken, OrganizationID: organizationID, UserID: owner, AccountMatterID: bypassing,
		}); err != nil {
			return err
		}
	}
	return nil
}

// PlanOwnerMails plans a mail for each owner about what somebody has done to the organization; who did it hears of it as
// well, in case that it was not them.
func (n *Notifier) PlanOwnerMails(ctx context.Context, tx *pg.Tx, eventID id.ID, kind domain.Kind, organizationID, actor id.ID, owners []id.ID, happened time.Time) error {
	if actor.IsZero() {
		// Nobody known: an id that no person has.
		actor = organizationID
	}
	for _, owner := range owners {
		if err := n.planMail(ctx, tx, eventID, happened, domain.Delivery{
			Kind: kind, OrganizationID: organizationID, UserID: owner, AccountMatterID: actor,
		}); err != nil {
			return err
		}
	}
	return nil
}

func (n *Notifier) planMail(ctx context.Context, tx *pg.Tx, eventID id.ID, happened time.Time, delivery domain.Delivery) error {
	delivery.ID = domain.DeriveID(eventID, delivery.UserID, domain.Email)
	if delivery.Kind == domain.EmailChange {
		// The second mail of one event.
		delivery.ID = domain.DeriveID(eventID, delivery.AccountMatterID, domain.Email)
	}
	if err := store.InsertMailDelivery(ctx, tx, delivery, eventID, happened); err != nil {
		return err
	}
	return n.enqueue(ctx, tx, delivery.ID, PromptQueue)
}

func (n *Notifier) enqueue(ctx context.Context, tx *pg.Tx, deliveryID id.ID, queue string) error {
	return n.Jobs.Enqueue(ctx, tx, SendMail{deliveryID}, job.OnQueue(queue), job.WithMaxAttempts(MailAttempts),
		job.Unique(deliveryID.String()))
}

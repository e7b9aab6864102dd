package app

import (
	"context"
	"fmt"
	netmail "net/mail"
	"slices"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/services/notification/internal/domain"
	"github.com/braidhq/braid/services/notification/internal/mail"
)

const (
	skipOfferGone   = "the offer no longer waits for an answer"
	skipNoOwner     = "the person is no owner any more"
	skipDomainFound = "the domain is gone, or verified again"
)

func (d *Deliveries) prepareOwnership(ctx context.Context, delivery domain.Delivery) (mail.Message, string, error) {
	offer, err := d.Ownership.GetOwnershipMail(ctx, &organizationv1.GetOwnershipMailRequest{
		OrganizationId: delivery.OrganizationID.String(), TransferId: delivery.TransferID.String(),
	})
	if err != nil && isGone(err) {
		return mail.Message{}, skipOfferGone, nil
	}
	if err != nil {
		return mail.Message{}, "", fmt.Errorf("get ownership mail: %w", err)
	}
	expires := offer.GetExpireTime().AsTime()
	if !offer.GetPending() || !d.Clock.Now().Before(expires) {
		return mail.Message{}, skipOfferGone, nil
	}
	content := d.Composer.OwnershipOffer(delivery.OrganizationID, offer.GetOrganizationDisplayName(), offer.GetOwnerDisplayName(), expires)
	return mail.Message{Content: content, To: netmail.Address{Address: offer.GetEmail()}}, "", nil
}

// owner asks once more who owns the organization: who does no longer must not hear of it. It returns the organization's
// name and where its owner is mailed to.
func (d *Deliveries) owner(ctx context.Context, delivery domain.Delivery) (organization string, to netmail.Address, skip string, err error) {
	owners, err := d.Owners.ListActiveOwners(ctx, &organizationv1.ListActiveOwnersRequest{OrganizationId: delivery.OrganizationID.String()})
	if err != nil {
		return "", to, "", fmt.Errorf("list owners: %w", err)
	}
	if !slices.Contains(owners.GetUserIds(), delivery.UserID.String()) {
		return "", to, skipNoOwner, nil
	}
	recipient, found, err := d.user(ctx, delivery.UserID)
	if err != nil || !found {
		return "", to, skipUserGone, err
	}
	return owners.GetOrganizationDisplayName(), netmail.Address{Name: recipient.GetDisplayName(), Address: recipient.GetEmail()}, "", nil
}

// prepareBypass tells an owner who got past the required connection.
func (d *Deliveries) prepareBypass(ctx context.Context, delivery domain.Delivery) (mail.Message, string, error) {
	organization, to, skip, err := d.owner(ctx, delivery)
	if err != nil || skip != "" {
		return mail.Message{}, skip, err
	}
	bypassing, found, err := d.user(ctx, delivery.AccountMatterID)
	if err != nil || !found {
		return mail.Message{}, skipUserGone, err
	}
	return mail.Message{Content: d.Composer.SSOBroken(organization, bypassing.GetDisplayName()), To: to}, "", nil
}

// prepareOwnerMail writes to an owner about what was done to the organization. Who did it may be nobody that is known.
func (d *Deliveries) prepareOwnerMail(ctx context.Context, delivery domain.Delivery) (mail.Message, string, error) {
	organization, to, skip, err := d.owner(ctx, delivery)
	if err != nil || skip != "" {
		return mail.Message{}, skip, err
	}
	actor, _, err := d.user(ctx, delivery.AccountMatterID)
	if err != nil {
		return mail.Message{}, "", err
	}
	content, err := d.Composer.OwnerMail(delivery.Kind, delivery.OrganizationID, organization, actor.GetDisplayName())
	return mail.Message{Content: content, To: to}, "", err
}

// prepareDomain checks once more that the person belongs to the organization: who has left since must not hear of it.
func (d *Deliveries) prepareDomain(ctx context.Context, delivery domain.Delivery) (mail.Message, string, error) {
	member, err := d.isMember(ctx, delivery.OrganizationID, delivery.UserID)
	if err != nil {
		return mail.Message{}, "", fmt.Errorf("check membership: %w", err)
	}
	if !member {
		return mail.Message{}, skipNotMember, nil
	}
	recipient, found, err := d.user(ctx, delivery.UserID)
	if err != nil || !found {
		return mail.Message{}, skipUserGone, err
	}
	lost, err := d.Domains.GetDomainMail(ctx, &organizationv1.GetDomainMailRequest{
		OrganizationId: delivery.OrganizationID.String(), DomainId: delivery.DomainID.String(),
	})
	if err != nil && isGone(err) {
		return mail.Message{}, skipDomainFound, nil
	}
	if err != nil {
		return mail.Message{}, "", fmt.Errorf("get domain mail: %w", err)
	}
	if !lost.GetLost() {
		return mail.Message{}, skipDomainFound, nil
	}
	content := d.Composer.DomainLost(lost.GetDomain(), lost.GetOrganizationDisplayName(), lost.GetRecordName(), lost.GetRecordValue())
	return mail.Message{
		Content: content, To: netmail.Address{Name: recipient.GetDisplayName(), Address: recipient.GetEmail()},
	}, "", nil
}

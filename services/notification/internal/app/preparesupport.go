package app

import (
	"context"
	"fmt"
	netmail "net/mail"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/services/notification/internal/domain"
	"github.com/braidhq/braid/services/notification/internal/mail"
)

const skipGrantGone = "the support grant is gone"

// prepareSupport checks once more that the person belongs to the organization: who has left since must not hear of it.
// A grant that has ended meanwhile is told of all the same: somebody may have been there.
func (d *Deliveries) prepareSupport(ctx context.Context, delivery domain.Delivery) (mail.Message, string, error) {
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
	told, err := d.Support.GetSupportGrantMail(ctx, &organizationv1.GetSupportGrantMailRequest{
		OrganizationId: delivery.OrganizationID.String(), SupportGrantId: delivery.SupportGrantID.String(),
	})
	if err != nil && isGone(err) {
		return mail.Message{}, skipGrantGone, nil
	}
	if err != nil {
		return mail.Message{}, "", fmt.Errorf("get support grant mail: %w", err)
	}
	grant := told.GetSupportGrant()
	content := d.Composer.Support(mail.Support{
		OrganizationID: delivery.OrganizationID, Organization: told.GetOrganizationDisplayName(), Reason: grant.GetReason(),
		BrokenGlass: grant.GetKind() == organizationv1.SupportGrant_BREAK_GLASS, Writes: grant.GetAccess() == organizationv1.SupportGrant_WRITE,
		Used: delivery.Kind == domain.SupportUsed, Expires: grant.GetExpireTime().AsTime(),
	})
	return mail.Message{
		Content: content, To: netmail.Address{Name: recipient.GetDisplayName(), Address: recipient.GetEmail()},
	}, "", nil
}

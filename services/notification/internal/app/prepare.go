package app

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"

	"connectrpc.com/connect"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/notification/internal/domain"
	"github.com/braidhq/braid/services/notification/internal/mail"
)

// Why mails are not sent after all.
const (
	skipRegistrationGone = "the registration is over"
	skipInvitationGone   = "the invitation no longer waits for an answer"
	skipNotMember        = "the person is no member any more"
	skipUserGone         = "the person is gone"
	skipDeviceGone       = "the device is forgotten"
	skipMuted            = "the person has turned such mails off"
)

func (d *Deliveries) prepareRegistration(ctx context.Context, delivery domain.Delivery) (mail.Message, string, error) {
	registration, err := d.Directory.GetRegistrationMail(ctx, &identityv1.GetRegistrationMailRequest{
		RegistrationId: delivery.RegistrationID.String(),
	})
	if err != nil && isGone(err) {
		return mail.Message{}, skipRegistrationGone, nil
	}
	if err != nil {
		return mail.Message{}, "", fmt.Errorf("get registration mail: %w", err)
	}
	if !d.Clock.Now().Before(registration.GetExpireTime().AsTime()) {
		return mail.Message{}, skipRegistrationGone, nil
	}
	var content mail.Content
	switch {
	case registration.GetAccountExists():
		content = d.Composer.AccountExists()
	case registration.GetNothingPending():
		content = d.Composer.NothingPending()
	case registration.GetCode() == "":
		return mail.Message{}, skipRegistrationGone, nil
	default:
		content = d.Composer.Registration(registration.GetCode(), registration.GetToken(), registration.GetExpireTime().AsTime())
	}
	return mail.Message{Content: content, To: netmail.Address{Address: registration.GetEmail()}}, "", nil
}

func (d *Deliveries) prepareInvitation(ctx context.Context, delivery domain.Delivery) (mail.Message, string, error) {
	invitation, err := d.Invitations.GetInvitationMail(ctx, &organizationv1.GetInvitationMailRequest{
		OrganizationId: delivery.OrganizationID.String(), InvitationId: delivery.InvitationID.String(),
	})
	if err != nil && isGone(err) {
		return mail.Message{}, skipInvitationGone, nil
	}
	if err != nil {
		return mail.Message{}, "", fmt.Errorf("get invitation mail: %w", err)
	}
	expires := invitation.GetExpireTime().AsTime()
	if !invitation.GetPending() || invitation.GetToken() == "" || !d.Clock.Now().Before(expires) {
		return mail.Message{}, skipInvitationGone, nil
	}
	content := d.Composer.Invitation(invitation.GetOrganizationDisplayName(), invitation.GetInviterDisplayName(),
		invitation.GetToken(), expires)
	return mail.Message{Content: content, To: netmail.Address{Address: invitation.GetEmail()}}, "", nil
}

func (d *Deliveries) prepareDevice(ctx context.Context, delivery domain.Delivery) (mail.Message, string, error) {
	device, err := d.Devices.GetNewDeviceMail(ctx, &identityv1.GetNewDeviceMailRequest{
		UserId: delivery.UserID.String(), DeviceId: delivery.DeviceID.String(),
	})
	if err != nil && isGone(err) {
		return mail.Message{}, skipDeviceGone, nil
	}
	if err != nil {
		return mail.Message{}, "", fmt.Errorf("get device mail: %w", err)
	}
	content := d.Composer.NewDevice(device.GetDevice(), device.GetClientAddress(), device.GetFirstSeenTime().AsTime())
	return mail.Message{
		Content: content, To: netmail.Address{Name: device.GetDisplayName(), Address: device.GetEmail()},
	}, "", nil
}

// prepareTask checks once more, at the moment of sending, that the person wants to know and may.
func (d *Deliveries) prepareTask(ctx context.Context, delivery domain.Delivery) (mail.Message, string, error) {
	if delivery.Muted {
		return mail.Message{}, skipMuted, nil
	}
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
	// A mail without the name of who did it is better than none.
	actor, _, err := d.user(ctx, delivery.ActorID)
	if err != nil {
		return mail.Message{}, "", err
	}
	var assignee *identityv1.User
	if delivery.RoleOf(delivery.UserID) != domain.Assignee {
		if assignee, _, err = d.user(ctx, delivery.AssigneeID); err != nil {
			return mail.Message{}, "", err
		}
	}
	content, err := d.Composer.Task(delivery, actor.GetDisplayName(), assignee.GetDisplayName())
	return mail.Message{
		Content: content, To: netmail.Address{Name: recipient.GetDisplayName(), Address: recipient.GetEmail()},
	}, "", err
}

func (d *Deliveries) user(ctx context.Context, userID id.ID) (*identityv1.User, bool, error) {
	if userID.IsZero() {
		return nil, false, nil
	}
	user, err := d.Directory.GetUser(ctx, &identityv1.GetUserRequest{UserId: userID.String()})
	switch {
	case err == nil:
		return user, true, nil
	case isGone(err):
		return nil, false, nil
	default:
		return nil, false, fmt.Errorf("get user: %w", err)
	}
}

// isOutage tells a service that can't answer now, which no number of tries should be counted for, from a fault that may
// be this mail's own.
func isOutage(err error) bool {
	var remote *connect.Error
	if errors.As(err, &remote) {
		switch remote.Code() {
		case connect.CodeUnavailable, connect.CodeDeadlineExceeded, connect.CodeResourceExhausted, connect.CodeCanceled:
			return true
		default:
			return false
		}
	}
	switch errs.KindOf(err) {
	case errs.Unavailable, errs.DeadlineExceeded, errs.ResourceExhausted, errs.Canceled:
		return true
	default:
		return false
	}
}

package app

import (
	"context"
	"fmt"
	netmail "net/mail"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/services/notification/internal/domain"
	"github.com/braidhq/braid/services/notification/internal/mail"
)

// Why mails about an account are not sent after all.
const (
	skipResetGone  = "the reset is over"
	skipLinkGone   = "the login at the provider is over"
	skipChangeGone = "the change of address is over"
)

func (d *Deliveries) preparePasswordReset(ctx context.Context, delivery domain.Delivery) (mail.Message, string, error) {
	reset, err := d.Accounts.GetPasswordResetMail(ctx, &identityv1.GetPasswordResetMailRequest{ResetId: delivery.AccountMatterID.String()})
	if err != nil && !isGone(err) {
		return mail.Message{}, "", fmt.Errorf("get password reset mail: %w", err)
	}
	if err != nil || !d.Clock.Now().Before(reset.GetExpireTime().AsTime()) {
		return mail.Message{}, skipResetGone, nil
	}
	var content mail.Content
	if reset.GetToken() == "" {
		content = d.Composer.NoAccount()
	} else {
		content = d.Composer.PasswordReset(reset.GetToken(), reset.GetExpireTime().AsTime())
	}
	return mail.Message{Content: content, To: netmail.Address{Address: reset.GetEmail()}}, "", nil
}

func (d *Deliveries) preparePasswordChanged(ctx context.Context, delivery domain.Delivery) (mail.Message, string, error) {
	user, found, err := d.user(ctx, delivery.AccountMatterID)
	if err != nil || !found {
		return mail.Message{}, skipUserGone, err
	}
	content := d.Composer.PasswordChanged()
	return mail.Message{Content: content, To: netmail.Address{Name: user.GetDisplayName(), Address: user.GetEmail()}}, "", nil
}

func (d *Deliveries) prepareSecurity(ctx context.Context, delivery domain.Delivery) (mail.Message, string, error) {
	user, found, err := d.user(ctx, delivery.AccountMatterID)
	if err != nil || !found {
		return mail.Message{}, skipUserGone, err
	}
	content, err := d.Composer.Security(delivery.Kind)
	return mail.Message{Content: content, To: netmail.Address{Name: user.GetDisplayName(), Address: user.GetEmail()}}, "", err
}

func (d *Deliveries) prepareProviderLink(ctx context.Context, delivery domain.Delivery) (mail.Message, string, error) {
	link, err := d.Links.GetProviderLinkMail(ctx, &identityv1.GetProviderLinkMailRequest{LinkId: delivery.AccountMatterID.String()})
	if err != nil && !isGone(err) {
		return mail.Message{}, "", fmt.Errorf("get provider link mail: %w", err)
	}
	if err != nil || !d.Clock.Now().Before(link.GetExpireTime().AsTime()) {
		return mail.Message{}, skipLinkGone, nil
	}
	content := d.Composer.ProviderLink(link.GetToken(), link.GetExpireTime().AsTime())
	return mail.Message{Content: content, To: netmail.Address{Address: link.GetEmail()}}, "", nil
}

// prepareEmailChange writes either of the two mails of a change of address.
func (d *Deliveries) prepareEmailChange(ctx context.Context, delivery domain.Delivery) (mail.Message, string, error) {
	change, err := d.Accounts.GetEmailChangeMail(ctx, &identityv1.GetEmailChangeMailRequest{ChangeId: delivery.AccountMatterID.String()})
	if err != nil && !isGone(err) {
		return mail.Message{}, "", fmt.Errorf("get email change mail: %w", err)
	}
	// The owner of the old address is told whatever became of it: a slow mail must not be outrun by a thief.
	if err != nil || !change.GetLive() && delivery.Kind == domain.EmailConfirmation {
		return mail.Message{}, skipChangeGone, nil
	}
	var content mail.Content
	to := change.GetNewEmail()
	switch {
	case delivery.Kind == domain.EmailChange:
		to = change.GetOldEmail()
		content = d.Composer.EmailChange(change.GetNewEmail())
	case change.GetToken() == "":
		content = d.Composer.AccountExists()
	default:
		content = d.Composer.EmailConfirmation(change.GetToken(), change.GetExpireTime().AsTime())
	}
	return mail.Message{Content: content, To: netmail.Address{Address: to}}, "", nil
}

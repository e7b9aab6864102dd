package app

import (
	"context"
	"fmt"
	netmail "net/mail"
	"time"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/domain"
	"github.com/braidhq/braid/services/notification/internal/mail"
	"github.com/braidhq/braid/services/notification/internal/store"
)

// lastMailWait is how long the last mail of an account may hold up its erasure; then it is not sent.
const lastMailWait = time.Hour

// MailsFirst makes an erasure wait for the mails about the account that are still to be sent, for an hour at most.
func MailsFirst(clock clock.Clock) func(ctx context.Context, tx *pg.Tx, userID id.ID) (bool, error) {
	return func(ctx context.Context, tx *pg.Tx, userID id.ID) (bool, error) {
		return store.HasAccountMails(ctx, tx, userID, clock.Now().Add(-lastMailWait))
	}
}

func (d *Deliveries) prepareDeletion(ctx context.Context, delivery domain.Delivery) (mail.Message, string, error) {
	told, err := d.Deletions.GetAccountDeletionMail(ctx, &identityv1.GetAccountDeletionMailRequest{UserId: delivery.AccountMatterID.String()})
	if err != nil && isGone(err) {
		return mail.Message{}, skipUserGone, nil
	}
	if err != nil {
		return mail.Message{}, "", fmt.Errorf("get account deletion mail: %w", err)
	}
	content, err := d.Composer.Deletion(delivery.Kind, told.GetStartTime().AsTime(), told.GetFailureReason())
	return mail.Message{Content: content, To: netmail.Address{Name: told.GetDisplayName(), Address: told.GetEmail()}}, "", err
}

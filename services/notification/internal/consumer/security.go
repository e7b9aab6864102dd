package consumer

import (
	"context"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/app"
	"github.com/braidhq/braid/services/notification/internal/domain"
)

// securityHandlers mail people what happens to what gets into their accounts.
func securityHandlers(notifier *app.Notifier) map[string]inbox.Handler {
	return map[string]inbox.Handler{
		bus.TypeOf(&identityv1.FactorAdded{}):              mailOwner[identityv1.FactorAdded](notifier, domain.FactorAdded),
		bus.TypeOf(&identityv1.FactorRemoved{}):            mailOwner[identityv1.FactorRemoved](notifier, domain.FactorRemoved),
		bus.TypeOf(&identityv1.FactorSuspected{}):          mailOwner[identityv1.FactorSuspected](notifier, domain.FactorSuspected),
		bus.TypeOf(&identityv1.BackupCodesRegenerated{}):   mailOwner[identityv1.BackupCodesRegenerated](notifier, domain.BackupCodesRegenerated),
		bus.TypeOf(&identityv1.BackupCodeUsed{}):           mailOwner[identityv1.BackupCodeUsed](notifier, domain.BackupCodeUsed),
		bus.TypeOf(&identityv1.ExternalIdentityLinked{}):   mailOwner[identityv1.ExternalIdentityLinked](notifier, domain.ProviderLinked),
		bus.TypeOf(&identityv1.ExternalIdentityUnlinked{}): mailOwner[identityv1.ExternalIdentityUnlinked](notifier, domain.ProviderUnlinked),
		bus.TypeOf(&identityv1.ExternalIdentityRefused{}):  mailOwner[identityv1.ExternalIdentityRefused](notifier, domain.ProviderRefused),
		bus.TypeOf(&identityv1.ImpersonationStarted{}):     mailOwner[identityv1.ImpersonationStarted](notifier, domain.Impersonated),
		bus.TypeOf(&identityv1.FactorsReset{}):             mailOwner[identityv1.FactorsReset](notifier, domain.FactorsReset),
		bus.TypeOf(&identityv1.ProviderLinkRequested{}): inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
			var payload identityv1.ProviderLinkRequested
			if err := event.Unmarshal(&payload); err != nil {
				return err
			}
			linkID, err := parseID("link_id", payload.GetLinkId())
			if err != nil {
				return err
			}
			return notifier.PlanAccountMails(ctx, tx, event.ID, linkID, event.Time, domain.ProviderLink)
		}),
		bus.TypeOf(&identityv1.SsoBypassed{}):            mailOwner[identityv1.SsoBypassed](notifier, domain.SSOBypassed),
		bus.TypeOf(&identityv1.FactorsResetByOperator{}): mailOwner[identityv1.FactorsResetByOperator](notifier, domain.FactorsResetByOperator),
		bus.TypeOf(&identityv1.OperatorCreated{}):        mailOwner[identityv1.OperatorCreated](notifier, domain.OperatorRole),
		bus.TypeOf(&identityv1.OperatorUpdated{}):        mailOwner[identityv1.OperatorUpdated](notifier, domain.OperatorRole),
		bus.TypeOf(&identityv1.OperatorRemoved{}):        mailOwner[identityv1.OperatorRemoved](notifier, domain.OperatorRole),
		bus.TypeOf(&identityv1.UserDeletionRequested{}):  mailOwner[identityv1.UserDeletionRequested](notifier, domain.DeletionRequested),
		bus.TypeOf(&identityv1.UserDeletionCancelled{}):  mailOwner[identityv1.UserDeletionCancelled](notifier, domain.DeletionCancelled),
		bus.TypeOf(&identityv1.UserDeletionFailed{}):     mailOwner[identityv1.UserDeletionFailed](notifier, domain.DeletionFailed),
		bus.TypeOf(&identityv1.UserErasureStarted{}):     mailOwner[identityv1.UserErasureStarted](notifier, domain.AccountDeleted),
	}
}

// aboutUser is a payload that names whose account it is about.
type aboutUser[Message any] interface {
	payload[Message]
	GetUserId() string
}

// mailOwner makes the handler of one type of event about an account, which its owner is mailed.
func mailOwner[Message any, Pointer aboutUser[Message]](notifier *app.Notifier, kind domain.Kind) inbox.Handler {
	return inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		decoded := Pointer(new(Message))
		if err := event.Unmarshal(decoded); err != nil {
			return err
		}
		userID, err := parseID("user_id", decoded.GetUserId())
		if err != nil {
			return err
		}
		return notifier.PlanAccountMails(ctx, tx, event.ID, userID, event.Time, kind)
	})
}

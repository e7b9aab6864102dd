package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	netmail "net/mail"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/job"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/domain"
	"github.com/braidhq/braid/services/notification/internal/mail"
	"github.com/braidhq/braid/services/notification/internal/smtp"
	"github.com/braidhq/braid/services/notification/internal/store"
)

// ownerPause is how long a mail waits when a service that must be asked does not answer; such a try does not count.
const ownerPause = 5 * time.Second

// Deliveries sends mails. A mail is sent at least once: between the server's taking it and our noting that, the process
// may die, and the same mail with the same Message-ID goes out again.
type Deliveries struct {
	DB          *pg.DB
	Clock       clock.Clock
	Logger      *slog.Logger
	Membership  Membership
	Directory   Directory
	Devices     Devices
	Invitations Invitations
	Accounts    AccountMails
	Deletions   DeletionMails
	Ownership   Ownership
	Domains     Domains
	Support     Support
	Owners      Owners
	Links       Links
	DataExports DataExports
	Composer    *mail.Composer
	Mailer      Mailer
	From        netmail.Address
	Metrics     *Metrics
}

// Send is the handler of SendMail: it fetches what the mail must say, hands it over and notes the outcome. Its errors
// are the job's: permanent ones end it, others are tried again.
func (d *Deliveries) Send(ctx context.Context, args SendMail) error {
	delivery, found, err := store.GetDelivery(ctx, d.DB.WorkerRead(), args.DeliveryID)
	if err != nil {
		return err
	}
	if !found || delivery.State != domain.Pending {
		return nil
	}
	message, skip, err := d.prepare(ctx, delivery)
	switch {
	case err != nil && isOutage(err):
		return job.Later(ownerPause, err)
	case err != nil:
		return d.fail(ctx, delivery, "the mail could not be written", false, err)
	case skip != "":
		return d.finish(ctx, delivery, domain.Outcome{State: domain.Skipped, Reason: skip})
	}
	if err = d.handOver(ctx, message); err == nil {
		return d.finish(ctx, delivery, domain.Outcome{State: domain.Sent})
	}
	var refused *smtp.Failure
	switch {
	case errors.Is(err, mail.ErrAddress):
		return d.fail(ctx, delivery, mail.ErrAddress.Error(), true, nil)
	case errors.As(err, &refused):
		return d.fail(ctx, delivery, refused.Error(), refused.Permanent, nil)
	default:
		return d.fail(ctx, delivery, "the mail could not be sent", false, err)
	}
}

// handOver is the last step of the trace that began with somebody's request.
func (d *Deliveries) handOver(ctx context.Context, message mail.Message) error {
	ctx, span := otel.Tracer("github.com/braidhq/braid/services/notification").Start(ctx, "send mail",
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attribute.String("mail.delivery_id", message.DeliveryID.String())))
	defer span.End()
	started := d.Clock.Now()
	err := d.Mailer.Send(ctx, message)
	d.Metrics.conversation.Observe(d.Clock.Now().Sub(started).Seconds())
	if err != nil {
		span.SetStatus(codes.Error, "the mail was not taken")
	}
	return err
}

// fail ends a delivery that can't succeed or has had its last try; before that it only lets the job try again. The cause
// is what the log has to say beyond the reason, or nil.
func (d *Deliveries) fail(ctx context.Context, delivery domain.Delivery, reason string, permanent bool, cause error) error {
	problem := errs.New(errs.Unavailable, "UNAVAILABLE", "The mail was not taken: "+reason+".").WithCause(cause)
	if !permanent && !job.From(ctx).Last {
		d.Metrics.attempts.WithLabelValues(string(delivery.Kind), "retried").Inc()
		return problem
	}
	if err := d.finish(ctx, delivery, domain.Outcome{State: domain.Failed, Reason: reason}); err != nil {
		return err
	}
	return job.Permanent(problem)
}

// finish notes the outcome and tells of it, in one transaction.
func (d *Deliveries) finish(ctx context.Context, delivery domain.Delivery, outcome domain.Outcome) error {
	outcome.Attempts = job.From(ctx).Attempt
	err := d.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		changed, err := store.FinishDelivery(ctx, tx, delivery.ID, outcome, d.Clock.Now())
		if err != nil || !changed {
			return err
		}
		return appendOutcome(ctx, tx, d.Clock, delivery, outcome)
	})
	if err != nil {
		return fmt.Errorf("finish delivery: %w", err)
	}
	d.Metrics.attempts.WithLabelValues(string(delivery.Kind), string(outcome.State)).Inc()
	d.Logger.InfoContext(ctx, "mail delivery ended", slog.String("delivery_id", delivery.ID.String()),
		slog.String("kind", string(delivery.Kind)), slog.String("state", string(outcome.State)),
		slog.Int("attempts", outcome.Attempts), slog.String("reason", outcome.Reason))
	return nil
}

// prepare fetches what the mail must say. skip, when not empty, is why it need not be sent any more.
func (d *Deliveries) prepare(ctx context.Context, delivery domain.Delivery) (message mail.Message, skip string, err error) {
	switch delivery.Kind {
	case domain.Registration:
		message, skip, err = d.prepareRegistration(ctx, delivery)
	case domain.Invitation:
		message, skip, err = d.prepareInvitation(ctx, delivery)
	case domain.NewDevice:
		message, skip, err = d.prepareDevice(ctx, delivery)
	case domain.PasswordReset:
		message, skip, err = d.preparePasswordReset(ctx, delivery)
	case domain.PasswordChanged:
		message, skip, err = d.preparePasswordChanged(ctx, delivery)
	case domain.FactorAdded, domain.FactorRemoved, domain.FactorSuspected, domain.BackupCodesRegenerated, domain.BackupCodeUsed,
		domain.ProviderLinked, domain.ProviderUnlinked, domain.ProviderRefused, domain.SSOBypassed, domain.FactorsReset,
		domain.FactorsResetByOperator, domain.OperatorRole, domain.Impersonated:
		message, skip, err = d.prepareSecurity(ctx, delivery)
	case domain.DeletionRequested, domain.DeletionCancelled, domain.DeletionFailed, domain.AccountDeleted:
		message, skip, err = d.prepareDeletion(ctx, delivery)
	case domain.EmailConfirmation, domain.EmailChange:
		message, skip, err = d.prepareEmailChange(ctx, delivery)
	case domain.DataExportReady, domain.DataExportFailed:
		message, skip, err = d.prepareDataExport(ctx, delivery)
	case domain.OwnershipOffer:
		message, skip, err = d.prepareOwnership(ctx, delivery)
	case domain.SSOBroken:
		message, skip, err = d.prepareBypass(ctx, delivery)
	case domain.OrganizationDeletionRequested, domain.OrganizationDeletionCancelled, domain.PolicyChanged:
		message, skip, err = d.prepareOwnerMail(ctx, delivery)
	case domain.ProviderLink:
		message, skip, err = d.prepareProviderLink(ctx, delivery)
	case domain.DomainLost:
		message, skip, err = d.prepareDomain(ctx, delivery)
	case domain.SupportGranted, domain.SupportUsed:
		message, skip, err = d.prepareSupport(ctx, delivery)
	case domain.TaskAssigned, domain.TaskCommented, domain.TaskStatusChanged:
		message, skip, err = d.prepareTask(ctx, delivery)
	default:
		err = fmt.Errorf("prepare mail: nobody writes one of kind %q", delivery.Kind)
	}
	if err != nil || skip != "" {
		return mail.Message{}, skip, err
	}
	message.DeliveryID, message.From, message.Time = delivery.ID, d.From, d.Clock.Now()
	message.CorrelationID = call.From(ctx).CorrelationID
	return message, "", nil
}

// isMember asks whether a person may still know of the organization's things.
func (d *Deliveries) isMember(ctx context.Context, organizationID, userID id.ID) (bool, error) {
	err := d.Membership.Authorize(ctx, organizationID, userID, "")
	if err != nil && errs.KindOf(err) == errs.NotFound {
		return false, nil
	}
	return err == nil, err
}

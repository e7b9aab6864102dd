// Package notification tells people what happened: within the product and by mail, as each of them wants it. It owns
// notifications, preferences and deliveries, and learns everything else from other services: facts by their events,
// addresses, codes and links by asking at the moment of sending.
package notification

import (
	"embed"
	"errors"
	"fmt"
	"maps"
	netmail "net/mail"
	"os"
	"strings"
	"time"

	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	"github.com/braidhq/braid/gen/go/braid/notification/v1/notificationv1braid"
	"github.com/braidhq/braid/gen/go/braid/organization/v1/organizationv1connect"
	"github.com/braidhq/braid/platform/erasure"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/job"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/person"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/service"
	"github.com/braidhq/braid/services/notification/internal/api"
	"github.com/braidhq/braid/services/notification/internal/app"
	"github.com/braidhq/braid/services/notification/internal/consumer"
	"github.com/braidhq/braid/services/notification/internal/mail"
	"github.com/braidhq/braid/services/notification/internal/mailbox"
	"github.com/braidhq/braid/services/notification/internal/smtp"
	"github.com/braidhq/braid/services/notification/internal/store"
)

// Name is the service's name.
const Name = "notification"

//go:embed migrations/*.sql
var migrations embed.FS

const (
	purgeInterval = time.Hour
	// sendMargin is what a mail's job may take beside the conversation with the mail server.
	sendMargin = 30 * time.Second
)

// Migrations returns the tables of notification's database, in the order they are made.
func Migrations() []pg.MigrationSet {
	jobs, err := job.Migrations()
	if err != nil {
		// They are compiled in: this is a broken build, which nothing at run time can mend.
		panic(Name + ": " + err.Error())
	}
	return []pg.MigrationSet{
		outbox.Migrations(), inbox.Migrations(), idempotency.Migrations(), service.Migrations(), jobs, {Name: Name, FS: migrations},
	}
}

// New builds the service.
func New(environment service.Environment, config Config) (*service.Service, error) {
	if config.SMTPURL == "" && !config.Mailbox {
		return nil, fmt.Errorf("assemble %s: smtp_url %s", environment.Name, noWayToSend)
	}
	assembled, err := service.New(environment, service.Options{Erasure: erasure.Own{People: erasure.OwnPeople{
		Columns: People().AllColumns(), Waits: app.MailsFirst(environment.Clock),
	}}})
	if err != nil {
		return nil, err
	}
	mailer, dependsOn, err := newMailer(environment, config, assembled)
	if err != nil {
		return nil, err
	}
	deliveries, err := newDeliveries(environment, config, mailer)
	if err != nil {
		return nil, err
	}
	jobs, err := newJobs(environment, config, deliveries)
	if err != nil {
		return nil, err
	}
	assembled.Parts = append(assembled.Parts, jobs.Part(dependsOn...))

	notifier := &app.Notifier{Membership: environment.Access, Jobs: jobs}
	if err := assembled.Consume(consumer.Sources(), consumer.Handlers(notifier)); err != nil {
		return nil, err
	}
	handler := &api.Handler{
		Runner:        assembled.Runner,
		Notifications: &app.Notifications{DB: environment.DB, Clock: environment.Clock, Spec: store.NotificationSpec()},
		Preferences:   &app.Preferences{DB: environment.DB, Clock: environment.Clock},
	}
	if err := notificationv1braid.MountNotificationService(assembled.Server, handler); err != nil {
		return nil, fmt.Errorf("assemble %s: %w", environment.Name, err)
	}
	if err := notificationv1braid.MountPersonDataService(assembled.Server, person.NewHandler(environment.DB, People())); err != nil {
		return nil, fmt.Errorf("assemble %s: %w", environment.Name, err)
	}
	return assembled, nil
}

// newMailer returns the way mails leave: the mail server of the configuration, else the mailbox, which it adds to the
// service. dependsOn names the parts that must be there before mails are sent.
func newMailer(environment service.Environment, config Config, assembled *service.Service) (mailer app.Mailer, dependsOn []string, err error) {
	sender := smtp.Config{HELO: hostname(), Timeout: config.SMTPTimeout}
	if config.SMTPURL != "" {
		target, err := smtp.ParseTarget(config.SMTPURL)
		if err != nil {
			return nil, nil, fmt.Errorf("assemble %s: smtp_url %w", environment.Name, err)
		}
		sender.Target = func() smtp.Target { return target }
		return smtp.NewSender(sender), nil, nil
	}
	caught := mailbox.New(mailbox.Config{
		Name: environment.Name + ".mailbox", DB: environment.DB, Sealer: environment.Keys,
		MaxMessages: config.MailboxMessages, Clock: environment.Clock, Logger: environment.Logger,
	})
	maps.Copy(assembled.Pages, caught.Pages())
	part := caught.Part()
	assembled.Parts = append(assembled.Parts, part)
	sender.Target = caught.Target
	return smtp.NewSender(sender), []string{part.Name}, nil
}

func newDeliveries(environment service.Environment, config Config, mailer app.Mailer) (*app.Deliveries, error) {
	from, err := netmail.ParseAddress(config.From)
	if err != nil {
		return nil, fmt.Errorf("assemble %s: notification.from is not an address", environment.Name)
	}
	return &app.Deliveries{
		DB: environment.DB, Clock: environment.Clock, Logger: environment.Logger, Membership: environment.Access,
		Directory:   identityv1connect.NewDirectoryServiceClient(environment.Clients.Dial("identity")),
		Devices:     identityv1connect.NewDeviceServiceClient(environment.Clients.Dial("identity")),
		Accounts:    identityv1connect.NewAccountMailServiceClient(environment.Clients.Dial("identity")),
		Deletions:   identityv1connect.NewAccountDeletionMailServiceClient(environment.Clients.Dial("identity")),
		Invitations: organizationv1connect.NewInvitationMailServiceClient(environment.Clients.Dial("organization")),
		Ownership:   organizationv1connect.NewOwnershipMailServiceClient(environment.Clients.Dial("organization")),
		Domains:     organizationv1connect.NewDomainMailServiceClient(environment.Clients.Dial("organization")),
		Support:     organizationv1connect.NewSupportAccessServiceClient(environment.Clients.Dial("organization")),
		DataExports: identityv1connect.NewDataExportMailServiceClient(environment.Clients.Dial("identity")),
		Owners:      organizationv1connect.NewOwnerServiceClient(environment.Clients.Dial("organization")),
		Links:       identityv1connect.NewProviderLinkMailServiceClient(environment.Clients.Dial("identity")),
		Composer:    mail.New(environment.PublicURL), Mailer: mailer, From: *from, Metrics: app.NewMetrics(environment.Registerer),
	}, nil
}

func newJobs(environment service.Environment, config Config, deliveries *app.Deliveries) (*job.Queue, error) {
	handlers := job.NewHandlers()
	retention := &app.Retention{
		DB: environment.DB, Clock: environment.Clock, ReadLifetime: config.ReadRetention, Lifetime: config.Retention, Metrics: deliveries.Metrics,
	}
	err := errors.Join(
		job.Handle(handlers, config.SMTPTimeout+sendMargin, deliveries.Send),
		job.Handle(handlers, 0, retention.PurgeDeliveries),
		job.Handle(handlers, 0, retention.PurgeNotifications),
	)
	if err != nil {
		return nil, fmt.Errorf("assemble %s: %w", environment.Name, err)
	}
	return job.New(job.Config{
		Service: environment.Name, DB: environment.DB, Handlers: handlers,
		Queues: map[string]int{
			app.PromptQueue: config.MailWorkers, app.TaskQueue: config.MailWorkers, job.DefaultQueue: 1,
		},
		Periodic: []job.Periodic{
			{Every: purgeInterval, Args: app.PurgeDeliveries{}}, {Every: purgeInterval, Args: app.PurgeNotifications{}},
		},
		Clock:      environment.Clock,
		Logger:     environment.Logger,
		Registerer: environment.Registerer,
	})
}

// hostname is how this machine introduces itself to mail servers; they only ask that it looks like a name.
func hostname() string {
	name, err := os.Hostname()
	if err != nil || name == "" || strings.ContainsAny(name, " \r\n") {
		return "localhost"
	}
	return name
}

package notification

import (
	netmail "net/mail"
	"strings"
	"time"

	"github.com/braidhq/braid/platform/mailaddress"
	"github.com/braidhq/braid/services/notification/internal/smtp"
)

// Config says how mails leave the service.
type Config struct {
	SMTPURL string `config:"smtp_url" secret:"true" help:"The mail server: smtp://user:password@host:587 (STARTTLS; ?tls=none for none) or smtps://user:password@host:465."`
	// Mailbox has no default of its own: "up" turns it on, everything else must say so. smtp_url wins over it.
	Mailbox         bool          `config:"mailbox" help:"Without smtp_url: catch all mails in the development mailbox on the admin port."`
	MailboxMessages int           `config:"mailbox_messages" default:"1000" help:"How many mails the development mailbox keeps."`
	From            string        `config:"from" default:"Braid <braid@localhost.localdomain>" help:"The sender of mails. Its domain is in their Message-ID."`
	SMTPTimeout     time.Duration `config:"smtp_timeout" default:"30s" help:"How long handing over one mail may take."`
	MailWorkers     int           `config:"mail_workers" default:"8" help:"How many mails of each queue one process sends at a time."`
	ReadRetention   time.Duration `config:"read_retention" default:"2160h" help:"How long a notification is kept after it was read."`
	Retention       time.Duration `config:"retention" default:"8760h" help:"How long a notification is kept in any case."`
}

const noWayToSend = "is required unless notification.mailbox is on"

const (
	maxMailWorkers     = 16
	maxMailboxMessages = 10_000
	maxSMTPTimeout     = 5 * time.Minute
	minRetention       = 24 * time.Hour
)

// Validate reports what is wrong with the settings.
func (c Config) Validate(report func(key, reason string)) {
	switch {
	case c.SMTPURL != "":
		if _, err := smtp.ParseTarget(c.SMTPURL); err != nil {
			report("smtp_url", err.Error())
		}
	case !c.Mailbox:
		report("smtp_url", noWayToSend)
	}
	from, err := netmail.ParseAddress(c.From)
	if err != nil || strings.ContainsAny(c.From, "\r\n") || !mailaddress.Valid(from.Address) {
		report("from", `must be an address, with or without a name: "Braid <braid@example.com>"`)
	}
	if c.MailboxMessages < 1 || c.MailboxMessages > maxMailboxMessages {
		report("mailbox_messages", "must be between 1 and 10000")
	}
	if c.SMTPTimeout < time.Second || c.SMTPTimeout > maxSMTPTimeout {
		report("smtp_timeout", "must be between 1s and 5m")
	}
	if c.MailWorkers < 1 || c.MailWorkers > maxMailWorkers {
		report("mail_workers", "must be between 1 and 16")
	}
	if c.ReadRetention < minRetention {
		report("read_retention", "must be at least 24h")
	}
	if c.Retention < max(c.ReadRetention, minRetention) {
		report("retention", "must be at least 24h and no less than read_retention")
	}
}

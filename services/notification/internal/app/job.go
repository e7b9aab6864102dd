package app

import "github.com/braidhq/braid/platform/id"

// The queues of mail jobs. People wait for codes and invitations with the screen open; what happened to a task can wait
// behind them, however much of it there is.
const (
	PromptQueue = "mail_prompt"
	TaskQueue   = "mail_task"
)

// MailAttempts is how often a mail is tried: with an hour between the later tries about a day and a half, as mail
// servers do among themselves.
const MailAttempts = 48

// SendMail is the job that sends one mail. It holds no more than the delivery's identifier.
type SendMail struct {
	DeliveryID id.ID `json:"deliveryId"`
}

// Kind implements job.Args.
func (SendMail) Kind() string { return "notification.send_mail" }

// PurgeDeliveries is the periodic job that removes deliveries that ended long ago.
type PurgeDeliveries struct{}

// Kind implements job.Args.
func (PurgeDeliveries) Kind() string { return "notification.purge_deliveries" }

// PurgeNotifications is the periodic job that removes notifications that were read, or made, long ago.
type PurgeNotifications struct{}

// Kind implements job.Args.
func (PurgeNotifications) Kind() string { return "notification.purge_notifications" }

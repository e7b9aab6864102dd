package domain

import "time"

// How many mails anybody can have sent to one address. One client can't use up what there is for an address, so its
// owner gets a mail in spite of a stranger; and all that are sent in a code's lifetime may wait side by side.
const (
	MailWindow     = time.Hour
	MailsOfClient  = 5
	MailsToAddress = MaxPending
)

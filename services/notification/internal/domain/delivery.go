package domain

import "github.com/braidhq/braid/platform/id"

// State says where a delivery stands. Only a pending one is ever sent or changed.
type State string

// The states.
const (
	Pending State = "pending"
	// Sent means that a mail server has taken the mail.
	Sent State = "sent"
	// Failed means that it was given up.
	Failed State = "failed"
	// Skipped means that there was no longer a reason to send it.
	Skipped State = "skipped"
)

// Delivery is one mail to one person: what it is about, never what is secret or where it goes.
type Delivery struct {
	ID    id.ID
	Kind  Kind
	State State
	// OrganizationID is zero for a registration.
	OrganizationID id.ID
	// UserID is zero when the address has no user yet.
	UserID         id.ID
	ActorID        id.ID
	RegistrationID id.ID
	InvitationID   id.ID
	DeviceID       id.ID
	// AccountMatterID is identity's: a reset of a password, a change of address, an export or, when the mail is about nothing else,
	// the user.
	AccountMatterID id.ID
	TransferID      id.ID
	DomainID        id.ID
	SupportGrantID  id.ID
	ProjectID       id.ID
	TaskID          id.ID
	TaskKey         string
	TaskTitle       string
	TaskStatus      string
	// Assignment is what a mail about one tells of.
	Assignment
	// Muted says that the person has turned such mails off by now.
	Muted bool
}

// Outcome is how a delivery ended.
type Outcome struct {
	State State
	// Attempts counts the tries it took.
	Attempts int
	// Reason says why it was not sent, in words without addresses.
	Reason string
}

// Subject is the delivery as events name it.
func (d Delivery) Subject() string { return "notification/" + d.ID.String() }

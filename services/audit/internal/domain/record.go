// Package domain says what a record of the audit is: which part of it stays for good, which may be erased, and how the
// one proves the other. It does no IO and knows no database, event format or clock.
package domain

import (
	"strings"
	"time"

	"github.com/braidhq/braid/platform/id"
)

// Resource is what something was done to.
type Resource struct {
	Type string
	ID   string
}

// ParseResource reads an event's subject, "<type>/<id>". A subject in no such form is all type: nothing of it is lost.
func ParseResource(subject string) Resource {
	kind, resourceID, _ := strings.Cut(subject, "/")
	return Resource{Type: kind, ID: resourceID}
}

// Fact is what happened, as the event tells it: the part that stays for good. It holds no personal data but ids.
type Fact struct {
	EventID id.ID
	// OrganizationID is zero for what happens outside organizations. Then PersonID may say whom it is about: the
	// organizations that this person was in at that time see the record.
	OrganizationID id.ID
	PersonID       id.ID
	// Action is the event's type.
	Action string
	// ActorKind is user, service_account, service, system or anonymous; ActorID is zero when no user is known.
	ActorKind string
	ActorID   id.ID
	// CredentialID is the access token or key that a machine acted with; zero for a session.
	CredentialID id.ID
	// ImpersonatorID is the operator who acted in the actor's name; zero when nobody did.
	ImpersonatorID id.ID
	Resource       Resource
	Source         string
	CorrelationID  string
	OccurredAt     time.Time
}

// BodyOwner is whose data the body is: who acted, or whom it is about when nobody is known to have acted. It is zero
// when there is no such person.
func (f Fact) BodyOwner() id.ID {
	if f.ActorID.IsZero() {
		return f.PersonID
	}
	return f.ActorID
}

// Record is a fact as it is kept.
type Record struct {
	ID id.ID
	Fact
	RecordedAt time.Time
	// BodyHash proves what the body was, also when that is erased.
	BodyHash []byte
	// Body is nil when it was erased.
	Body *Body
}

// SealedRecord is a fact and its body, ready to be kept.
type SealedRecord struct {
	ID id.ID
	Fact
	Sealed
}

// MembershipChange says that a user came into an organization or left it. State at any time is the last change before.
type MembershipChange struct {
	OrganizationID id.ID
	UserID         id.ID
	Member         bool
	OccurredAt     time.Time
}

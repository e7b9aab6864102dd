package domain

import (
	"strings"
	"time"

	"github.com/braidhq/braid/platform/id"
)

// InvitationLifetime is how long a mailed token works.
const InvitationLifetime = 7 * 24 * time.Hour

// State says where an invitation stands.
type State string

// The states.
const (
	Pending  State = "pending"
	Accepted State = "accepted"
	Rejected State = "rejected"
	Revoked  State = "revoked"
	Expired  State = "expired"
)

// Invitation asks one address to join with one role.
type Invitation struct {
	OrganizationID id.ID
	ID             id.ID
	Email          string
	RoleID         string
	// Stored is the state as it was last written; State knows whether time has passed since.
	Stored State
	// InviterID is who sent it last. It is good while they may invite with its role.
	InviterID id.ID
	CreatedAt time.Time
	UpdatedAt time.Time
	ExpiresAt time.Time
	// Sending counts the mails, from 1. Only the last one's token works.
	Sending int32
}

// State returns where the invitation stands at a time.
func (i Invitation) State(now time.Time) State {
	if i.Stored == Pending && !now.Before(i.ExpiresAt) {
		return Expired
	}
	return i.Stored
}

// CheckPending refuses what only a pending invitation can bear.
func (i Invitation) CheckPending(now time.Time) error {
	if state := i.State(now); state != Pending {
		return ErrInvitationNotPending.With("state", strings.ToUpper(string(state)))
	}
	return nil
}

// CheckInvited refuses everybody but the person with the invited address.
func (i Invitation) CheckInvited(person Person) error {
	if EmailKey(person.Email) != EmailKey(i.Email) {
		return ErrInvitationOtherEmail
	}
	return nil
}

// Settle returns the invitation with its last state.
func (i Invitation) Settle(state State, now time.Time) Invitation {
	i.Stored, i.UpdatedAt = state, now
	return i
}

// Resend returns the invitation as somebody mails it once more: with another token and a new week.
func (i Invitation) Resend(inviterID id.ID, now time.Time) Invitation {
	i.Sending++
	i.InviterID = inviterID
	i.UpdatedAt, i.ExpiresAt = now, now.Add(InvitationLifetime)
	return i
}

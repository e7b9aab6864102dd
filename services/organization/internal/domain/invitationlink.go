package domain

import (
	"strings"
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// What links may be.
const (
	MaxInvitationLinks     = 1000
	InvitationLinkLifetime = 7 * 24 * time.Hour
	longestLinkLifetime    = 366 * 24 * time.Hour
)

// LinkState says whether a link works.
type LinkState string

// The states.
const (
	LinkActive  LinkState = "active"
	LinkUsedUp  LinkState = "used_up"
	LinkRevoked LinkState = "revoked"
	LinkExpired LinkState = "expired"
)

// InvitationLink lets whoever holds it join with one role.
type InvitationLink struct {
	OrganizationID id.ID
	ID             id.ID
	RoleID         string
	// CreatorID is who made it. It is good while they may invite with its role.
	CreatorID id.ID
	// EmailDomain is the one that addresses must have; empty for any.
	EmailDomain string
	MaxUses     int32
	Uses        int32
	CreatedAt   time.Time
	ExpiresAt   time.Time
	// RevokedAt is zero while nobody has taken it back.
	RevokedAt time.Time
}

// NewInvitationLink returns a link as it is made: what is left out is one use and a week.
func NewInvitationLink(wanted InvitationLink, now time.Time) (InvitationLink, error) {
	if wanted.MaxUses == 0 {
		wanted.MaxUses = 1
	}
	if wanted.ExpiresAt.IsZero() {
		wanted.ExpiresAt = now.Add(InvitationLinkLifetime)
	}
	if !wanted.ExpiresAt.After(now) || wanted.ExpiresAt.After(now.Add(longestLinkLifetime)) {
		return InvitationLink{}, errs.Invalid("expireTime", "timestamp.within", "must be in the future, and at most a year away")
	}
	wanted.ID, wanted.CreatedAt = id.New(), now
	return wanted, nil
}

// State returns where the link stands at a time.
func (l InvitationLink) State(now time.Time) LinkState {
	switch {
	case !l.RevokedAt.IsZero():
		return LinkRevoked
	case l.Uses >= l.MaxUses:
		return LinkUsedUp
	case !now.Before(l.ExpiresAt):
		return LinkExpired
	}
	return LinkActive
}

// CheckUse refuses a link that no longer works, and whoever it is not for.
func (l InvitationLink) CheckUse(person Person, now time.Time) error {
	if state := l.State(now); state != LinkActive {
		return ErrLinkNotActive.With("state", strings.ToUpper(string(state)))
	}
	if l.EmailDomain != "" && DomainOf(person.Email) != l.EmailDomain {
		return ErrLinkOtherDomain
	}
	return nil
}

// DomainOf returns an address's domain in the form in which domains are compared.
func DomainOf(email string) string {
	key := EmailKey(email)
	return key[strings.LastIndexByte(key, '@')+1:]
}

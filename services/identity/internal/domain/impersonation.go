package domain

import (
	"time"

	"github.com/braidhq/braid/platform/id"
)

// MaxImpersonations bounds in how many names an operator acts at once.
const MaxImpersonations = 10

// Impersonation is an operator who acts in somebody's name.
type Impersonation struct {
	ID         id.ID
	OperatorID id.ID
	// SessionID is the operator's own session, with which it ends.
	SessionID      id.ID
	UserID         id.ID
	OrganizationID id.ID
	GrantID        id.ID
	Writes         bool
	Reason         string
	CreatedAt      time.Time
	ExpiresAt      time.Time
	// EndedAt is zero for one that was not ended before its time.
	EndedAt time.Time
}

// SupportGrant is an organization's, as far as it decides about an impersonation.
type SupportGrant struct {
	ID        id.ID
	Writes    bool
	ExpiresAt time.Time
}

// Impersonate returns an impersonation that begins now and lives no longer than the grant that it is by.
func Impersonate(wanted Impersonation, by SupportGrant, longest time.Duration, now time.Time) (Impersonation, error) {
	if wanted.OperatorID == wanted.UserID {
		return Impersonation{}, ErrImpersonationSelf
	}
	wanted.ID, wanted.GrantID, wanted.Writes, wanted.CreatedAt = id.New(), by.ID, by.Writes, now
	wanted.ExpiresAt = now.Add(longest)
	if by.ExpiresAt.Before(wanted.ExpiresAt) {
		wanted.ExpiresAt = by.ExpiresAt
	}
	return wanted, nil
}

// Over reports whether it is over by itself.
func (i Impersonation) Over(now time.Time) bool {
	return !i.EndedAt.IsZero() || !now.Before(i.ExpiresAt)
}

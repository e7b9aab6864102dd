package domain

import (
	"slices"
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// What lets operators in, and for how long.
const (
	MaxSupportGrants     = 100
	SupportGrantLifetime = 24 * time.Hour
	longestSupportGrant  = 7 * 24 * time.Hour
	BrokenGlassLifetime  = time.Hour
)

// SupportKind says how a grant came to be.
type SupportKind string

// The kinds.
const (
	// OwnersGrant was made by an owner.
	OwnersGrant SupportKind = "grant"
	// BrokenGlass was made by an operator, whom nobody had asked in.
	BrokenGlass SupportKind = "break_glass"
)

// SupportAccess says what operators may do.
type SupportAccess string

// The accesses.
const (
	SupportRead  SupportAccess = "read"
	SupportWrite SupportAccess = "write"
)

// Role is the system role that operators have by it.
func (a SupportAccess) Role() string {
	if a == SupportWrite {
		return Member
	}
	return Viewer
}

// SupportState says whether a grant lets operators in.
type SupportState string

// The states.
const (
	SupportActive  SupportState = "active"
	SupportRevoked SupportState = "revoked"
	SupportExpired SupportState = "expired"
)

// supportRoles are the operators' roles that are let in; automation is not.
var supportRoles = []string{"support", "admin"}

// CheckSupporter refuses an operator whose role is never let into an organization.
func CheckSupporter(operatorRole string) error {
	if !slices.Contains(supportRoles, operatorRole) {
		return ErrNoSupporter
	}
	return nil
}

// SupportGrant lets operators in until it ends.
type SupportGrant struct {
	OrganizationID id.ID
	ID             id.ID
	Kind           SupportKind
	Access         SupportAccess
	Reason         string
	// CreatorID is the owner, or the operator who broke the glass.
	CreatorID id.ID
	// OperatorID is the only operator it is for; zero for all.
	OperatorID id.ID
	CreatedAt  time.Time
	ExpiresAt  time.Time
	// RevokedAt is zero while nobody has ended it.
	RevokedAt time.Time
	RevokerID id.ID
	// LastUsedAt is zero while nobody has used it.
	LastUsedAt     time.Time
	LastOperatorID id.ID
	// Revision grows with every change but the uses.
	Revision int64
	// AccessRevision is the organization's that holds a change just made.
	AccessRevision int64
}

// NewSupportGrant returns a grant as an owner makes it: a day, when they don't say until when.
func NewSupportGrant(wanted SupportGrant, now time.Time) (SupportGrant, error) {
	wanted.ID, wanted.Kind, wanted.CreatedAt, wanted.Revision = id.New(), OwnersGrant, now, 1
	if wanted.ExpiresAt.IsZero() {
		wanted.ExpiresAt = now.Add(SupportGrantLifetime)
	}
	return wanted, wanted.checkEnd(now)
}

// BreakGlass returns the access that an operator takes: to read, for an hour, for themselves alone.
func BreakGlass(organizationID, operatorID id.ID, reason string, now time.Time) SupportGrant {
	return SupportGrant{
		OrganizationID: organizationID, ID: id.New(), Kind: BrokenGlass, Access: SupportRead, Reason: reason, CreatorID: operatorID,
		OperatorID: operatorID, CreatedAt: now, ExpiresAt: now.Add(BrokenGlassLifetime), Revision: 1,
	}
}

// State returns where the grant stands at a time.
func (g SupportGrant) State(now time.Time) SupportState {
	switch {
	case !g.RevokedAt.IsZero():
		return SupportRevoked
	case !now.Before(g.ExpiresAt):
		return SupportExpired
	}
	return SupportActive
}

// Change returns the grant as it is after a change; what is nil stays.
func (g SupportGrant) Change(access *SupportAccess, reason *string, expires *time.Time, now time.Time) (SupportGrant, error) {
	if g.Kind != OwnersGrant || g.State(now) != SupportActive {
		return SupportGrant{}, ErrSupportGrantFixed
	}
	if access != nil {
		g.Access = *access
	}
	if reason != nil {
		g.Reason = *reason
	}
	if expires != nil {
		g.ExpiresAt = *expires
	}
	g.Revision++
	switch {
	case g.Access == "":
		return SupportGrant{}, errs.Invalid("access", "enum.defined_only", "must say what the grant allows")
	case g.Reason == "":
		return SupportGrant{}, errs.Invalid("reason", "string.min_len", "must say why")
	}
	return g, g.checkEnd(now)
}

// checkEnd refuses an end that has been, and one that is too far from when the grant was made.
func (g SupportGrant) checkEnd(now time.Time) error {
	if !g.ExpiresAt.After(now) || g.ExpiresAt.After(g.CreatedAt.Add(longestSupportGrant)) {
		return errs.Invalid("expireTime", "timestamp.within", "must be in the future, and at most 7 days after the grant is made")
	}
	return nil
}

// Revoke returns the grant as somebody ends it.
func (g SupportGrant) Revoke(revokerID id.ID, now time.Time) SupportGrant {
	g.RevokedAt, g.RevokerID = now, revokerID
	g.Revision++
	return g
}

package domain

import (
	"strconv"
	"strings"
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// Membership is a user in an organization, with the user's name and address as last heard of.
type Membership struct {
	OrganizationID id.ID
	Person
	RoleIDs  []string
	JoinedAt time.Time
	// Revision grows with every change of the roles or the state.
	Revision int64
	// AccessRevision is the organization's that holds a change just made.
	AccessRevision int64
	// SuspendedAt is zero for a member who may do what the roles permit.
	SuspendedAt      time.Time
	SuspensionReason string
}

// Suspended reports whether the member may do nothing at all.
func (m Membership) Suspended() bool { return !m.SuspendedAt.IsZero() }

// Suspend returns the member as somebody keeps them out.
func (m Membership) Suspend(reason string, now time.Time) Membership {
	m.SuspendedAt, m.SuspensionReason = now, reason
	m.Revision++
	return m
}

// Resume returns the member as they may act again.
func (m Membership) Resume() Membership {
	m.SuspendedAt, m.SuspensionReason = time.Time{}, ""
	m.Revision++
	return m
}

// Person is a user as identity describes them.
type Person struct {
	UserID      id.ID
	DisplayName string
	Email       string
	// Title is what they do, AvatarPath where their picture is; empty for none.
	Title      string
	AvatarPath string
	// Revision is identity's of the user; 0 when it is not known, which is older than every known one.
	Revision int64
}

// CheckRoleIDs refuses a member without roles.
func CheckRoleIDs(field string, roleIDs []string) error {
	if len(roleIDs) == 0 {
		return errs.Invalid(field, "repeated.min_items", "must name at least one role")
	}
	return nil
}

// EmailKey returns the form in which addresses are compared. Mail servers may tell cases apart before the @, but none
// that people use does, and identity doesn't.
func EmailKey(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// Etag is what clients send back to guard an update.
func Etag(revision int64) string { return strconv.FormatInt(revision, 16) }

// CheckEtag refuses an update of something that has changed since; an empty etag guards nothing.
func CheckEtag(etag string, revision int64) error { return errs.CheckETag(etag, Etag(revision)) }

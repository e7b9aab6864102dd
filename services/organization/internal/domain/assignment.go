package domain

import (
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// How many assignments there may be.
const (
	MaxSubjectAssignments      = 1000
	MaxOrganizationAssignments = 100_000
)

// SubjectType says what sort of subject has a role.
type SubjectType string

// The sorts of subjects.
const (
	User           SubjectType = "user"
	TeamSubject    SubjectType = "team"
	ServiceAccount SubjectType = "service_account"
)

// Subject is who has a role.
type Subject struct {
	Type SubjectType
	ID   id.ID
}

// ScopeType says how far a role reaches.
type ScopeType string

// The scopes, the widest first.
const (
	InOrganization ScopeType = "organization"
	InProject      ScopeType = "project"
	OnResource     ScopeType = "resource"
)

// Scope is where a role holds.
type Scope struct {
	Type ScopeType
	// ID is the project's or the resource's, zero for the organization.
	ID id.ID
	// ResourceType is set for a resource only.
	ResourceType string
}

// Within reports whether everything in the scope is certainly in the other. Which project a resource is in is not known
// here, so of a project's scope only the project itself is.
func (s Scope) Within(other Scope) bool { return other.Type == InOrganization || s == other }

// Assignment is a role given to somebody.
type Assignment struct {
	OrganizationID id.ID
	ID             id.ID
	Subject        Subject
	RoleID         string
	Scope          Scope
	// Owned says that it holds only for what the subject created or owns, Delegable that its holder may give it on.
	Owned, Delegable bool
	// SourceID is the assignment that it was delegated from, zero for none.
	SourceID id.ID
	// StartsAt and ExpiresAt are zero where it is open.
	StartsAt, ExpiresAt time.Time
	Condition           string
	CreatorID           id.ID
	CreatedAt           time.Time
	// AccessRevision is the organization's that holds a change just made.
	AccessRevision int64
}

// Check refuses what makes no sense by itself.
func (a Assignment) Check(now time.Time) error {
	switch {
	case (a.Scope.Type == InOrganization) != a.Scope.ID.IsZero():
		return errs.Invalid("scope.id", "scope.id", "names the project or the resource, and nothing for the organization")
	case (a.Scope.Type == OnResource) != (a.Scope.ResourceType != ""):
		return errs.Invalid("scope.resourceType", "scope.resource_type", "says what the resource is, and nothing else has one")
	case !a.ExpiresAt.IsZero() && !a.ExpiresAt.After(now):
		return errs.Invalid("expireTime", "timestamp.gt_now", "must be in the future")
	case !a.ExpiresAt.IsZero() && !a.ExpiresAt.After(a.StartsAt):
		return errs.Invalid("expireTime", "timestamp.gt", "must be after startTime")
	case a.Delegable && a.Subject.Type != User:
		return errs.Invalid("delegable", "assignment.delegable", "is for users only: nobody else can give something on")
	case a.RoleID == Owner:
		return ErrRoleNotAssignable.With("roleId", a.RoleID)
	}
	return nil
}

// InForce reports whether the assignment holds at a time, as far as time decides.
func (a Assignment) InForce(now time.Time) bool {
	return !now.Before(a.StartsAt) && (a.ExpiresAt.IsZero() || now.Before(a.ExpiresAt))
}

// Lend returns what is to be given on from this one: with its role, and with its place and times where they are left open.
func (a Assignment) Lend(given Assignment) Assignment {
	given.RoleID, given.SourceID = a.RoleID, a.ID
	if given.Scope == (Scope{}) {
		given.Scope = a.Scope
	}
	if given.StartsAt.IsZero() {
		given.StartsAt = a.StartsAt
	}
	if given.ExpiresAt.IsZero() {
		given.ExpiresAt = a.ExpiresAt
	}
	return given
}

// CheckDelegation refuses to give something on that its source doesn't allow: the holder's own, delegable, in force, not
// delegated itself, and nothing beyond its limits.
func (a Assignment) CheckDelegation(given Assignment, holderID id.ID, now time.Time) error {
	because := ""
	switch {
	case a.Subject != (Subject{User, holderID}):
		because = "it is not your own"
	case !a.Delegable:
		because = "it is not delegable"
	case !a.SourceID.IsZero():
		because = "it was delegated to you"
	case !a.InForce(now):
		because = "it does not hold now"
	case given.Scope.Type == OnResource && a.Scope.Type == InProject:
		because = "it is for a project, and nothing here proves that the resource is in it: give on the whole project"
	case !given.Scope.Within(a.Scope):
		because = "its scope is narrower"
	case given.StartsAt.Before(a.StartsAt):
		because = "it starts later"
	case !a.ExpiresAt.IsZero() && (given.ExpiresAt.IsZero() || given.ExpiresAt.After(a.ExpiresAt)):
		because = "it ends before"
	default:
		return nil
	}
	return ErrNotDelegable.With("because", because).WithMessage("The assignment can't be given on like that: " + because + ".")
}

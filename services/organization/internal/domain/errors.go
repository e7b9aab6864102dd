// Package domain holds the rules of organizations: who may give which role to whom, that an organization keeps an
// owner, and where an invitation stands. It does no IO and knows no database, protocol or clock.
package domain

import "github.com/braidhq/braid/platform/errs"

// The refusals of this service. Their reasons stand in the contract: braid.organization.v1 or braid.platform.v1.
var (
	ErrLastOwner       = errs.New(errs.FailedPrecondition, "LAST_OWNER", "An organization must keep an owner.")
	ErrSlugTaken       = errs.New(errs.AlreadyExists, "SLUG_TAKEN", "The short name belongs to another organization.")
	ErrRoleUnknown     = errs.New(errs.InvalidArgument, "ROLE_UNKNOWN", "There is no such role.")
	ErrGrantExceedsOwn = errs.New(errs.PermissionDenied, "GRANT_EXCEEDS_OWN", "You can't give or take away a role above your own.")

	ErrInvitationNotPending = errs.New(errs.FailedPrecondition, "INVITATION_NOT_PENDING", "The invitation no longer waits for an answer.")
	ErrInviterLacksRole     = errs.New(errs.FailedPrecondition, "INVITATION_NOT_PENDING", "Whoever sent the invitation may no longer give its role; ask to have it sent again.").With("state", "PENDING")
	ErrInvitationOtherEmail = errs.New(errs.PermissionDenied, "INVITATION_OTHER_EMAIL", "The invitation is for another address than yours.")
	ErrInvitationExists     = errs.New(errs.AlreadyExists, "INVITATION_EXISTS", "The address is already invited.")
	ErrMemberExists         = errs.New(errs.AlreadyExists, "MEMBER_EXISTS", "The person is a member already.")

	ErrMemberSuspended = errs.New(errs.PermissionDenied, "MEMBER_SUSPENDED", "You are suspended in this organization.")
	ErrSuspendSelf     = errs.New(errs.FailedPrecondition, "SUSPEND_SELF", "You can't suspend yourself.")
	ErrLimitReached    = errs.New(errs.FailedPrecondition, "LIMIT_REACHED", "There are as many as there may be.")

	ErrTeamParentUnknown = errs.New(errs.InvalidArgument, "TEAM_PARENT_UNKNOWN", "The team above is no team of the organization.")
	ErrTeamCycle         = errs.New(errs.FailedPrecondition, "TEAM_CYCLE", "A team can't be below itself.")
	ErrTeamTooDeep       = errs.New(errs.FailedPrecondition, "TEAM_TOO_DEEP", "Teams nest up to 3 levels.")
	ErrTeamHasChildren   = errs.New(errs.FailedPrecondition, "TEAM_HAS_CHILDREN", "The team has teams below it.")
	ErrTeamMemberExists  = errs.New(errs.AlreadyExists, "TEAM_MEMBER_EXISTS", "The person is in the team already.")
	ErrUserNotMember     = errs.New(errs.InvalidArgument, "USER_NOT_MEMBER", "The person is no member of the organization.")

	ErrTransferNotPending = errs.New(errs.FailedPrecondition, "TRANSFER_NOT_PENDING", "Nobody offers you to become an owner, or no longer.")
	ErrTransferImpossible = errs.New(errs.FailedPrecondition, "TRANSFER_IMPOSSIBLE", "The person is an owner already, or suspended.")

	ErrLinkNotActive   = errs.New(errs.FailedPrecondition, "INVITATION_LINK_NOT_ACTIVE", "The link no longer works.")
	ErrLinkOtherDomain = errs.New(errs.PermissionDenied, "INVITATION_LINK_OTHER_DOMAIN", "The link is for addresses of another domain than yours.")

	ErrDomainExists      = errs.New(errs.AlreadyExists, "DOMAIN_EXISTS", "The organization has the domain already.")
	ErrDomainNotAllowed  = errs.New(errs.InvalidArgument, "DOMAIN_NOT_ALLOWED", "No organization can have this domain as its own.")
	ErrDomainTaken       = errs.New(errs.AlreadyExists, "DOMAIN_TAKEN", "Another organization has verified the domain.")
	ErrDomainNotVerified = errs.New(errs.FailedPrecondition, "DOMAIN_NOT_VERIFIED", "The domain does not show the record that verifies it.")
)

// Errors lists every refusal above, for the test that holds them against the contract.
func Errors() []*errs.Error {
	return []*errs.Error{errs.ErrNotFound, errs.ErrETagMismatch, ErrLastOwner, ErrSlugTaken, ErrRoleUnknown, ErrGrantExceedsOwn,
		ErrInvitationNotPending, ErrInviterLacksRole, ErrInvitationOtherEmail, ErrInvitationExists, ErrMemberExists,
		ErrMemberSuspended, ErrSuspendSelf, ErrLimitReached, ErrTeamParentUnknown, ErrTeamCycle, ErrTeamTooDeep, ErrTeamHasChildren,
		ErrTeamMemberExists, ErrUserNotMember, ErrTransferNotPending, ErrTransferImpossible,
		ErrLinkNotActive, ErrLinkOtherDomain, ErrDomainExists, ErrDomainNotAllowed, ErrDomainTaken, ErrDomainNotVerified}
}

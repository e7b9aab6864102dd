// Package domain holds the rules of organizations: who may give which role to whom, that an organization keeps an
// owner, and where an invitation stands. It does no IO and knows no database, protocol or clock.
package domain

import "github.com/braidhq/braid/platform/errs"

// The refusals of this service. Their reasons stand in the contract: braid.organization.v1 or braid.platform.v1.
var (
	ErrLastOwner       = errs.New(errs.FailedPrecondition, "LAST_OWNER", "An organization must keep an owner.")
	ErrSlugTaken       = errs.New(errs.AlreadyExists, "SLUG_TAKEN", "The short name belongs to another organization.")
	ErrRoleUnknown     = errs.New(errs.InvalidArgument, "ROLE_UNKNOWN", "There is no such role.")
	ErrGrantExceedsOwn = errs.New(errs.PermissionDenied, "GRANT_EXCEEDS_OWN", "You can't give or take away what you don't hold yourself.")

	ErrRoleCycle          = errs.New(errs.FailedPrecondition, "ROLE_CYCLE", "A role can't inherit from itself.")
	ErrRoleTooDeep        = errs.New(errs.FailedPrecondition, "ROLE_TOO_DEEP", "A chain of parents is at most 10 long.")
	ErrRoleTooComplex     = errs.New(errs.FailedPrecondition, "ROLE_TOO_COMPLEX", "The role inherits in too many ways by conditions over resources.")
	ErrConditionInvalid   = errs.New(errs.InvalidArgument, "CONDITION_INVALID", "The condition can't be used.")
	ErrPermissionLimit    = errs.New(errs.FailedPrecondition, "PERMISSION_LIMIT", "The organization has as many permissions as it can have.")
	ErrRoleInUse          = errs.New(errs.FailedPrecondition, "ROLE_IN_USE", "The role is in use.")
	ErrRoleFixed          = errs.New(errs.FailedPrecondition, "ROLE_FIXED", "The role is Braid's own and can't be changed.")
	ErrRoleLimit          = errs.New(errs.FailedPrecondition, "ROLE_LIMIT", "The organization has as many roles as it can have.")
	ErrPermissionUnknown  = errs.New(errs.InvalidArgument, "PERMISSION_UNKNOWN", "There is no such permission.")
	ErrPermissionReserved = errs.New(errs.InvalidArgument, "PERMISSION_RESERVED", "The permission's name belongs to Braid.")
	ErrPermissionExists   = errs.New(errs.AlreadyExists, "PERMISSION_EXISTS", "There is a permission of that name.")
	ErrPermissionInUse    = errs.New(errs.FailedPrecondition, "PERMISSION_IN_USE", "The permission is in use.")
	ErrSubjectUnknown     = errs.New(errs.InvalidArgument, "SUBJECT_UNKNOWN", "There is no such member, team or service account.")
	ErrResourceType       = errs.New(errs.InvalidArgument, "RESOURCE_TYPE_UNKNOWN", "There are no resources of that type.")
	ErrNotDelegable       = errs.New(errs.FailedPrecondition, "NOT_DELEGABLE", "The assignment can't be given on like that.")
	ErrAssignmentLimit    = errs.New(errs.FailedPrecondition, "ASSIGNMENT_LIMIT", "There are as many assignments as there can be.")
	ErrRoleNotAssignable  = errs.New(errs.FailedPrecondition, "ROLE_NOT_ASSIGNABLE", "Owners are made of members only, as their own role.")

	ErrInvitationNotPending = errs.New(errs.FailedPrecondition, "INVITATION_NOT_PENDING", "The invitation no longer waits for an answer.")
	ErrInviterLacksRole     = errs.New(errs.FailedPrecondition, "INVITATION_NOT_PENDING", "Whoever sent the invitation may no longer give its role; ask to have it sent again.").With("state", "PENDING")
	ErrInvitationOtherEmail = errs.New(errs.PermissionDenied, "INVITATION_OTHER_EMAIL", "The invitation is for another address than yours.")
	ErrInvitationExists     = errs.New(errs.AlreadyExists, "INVITATION_EXISTS", "The address is already invited.")
	ErrMemberExists         = errs.New(errs.AlreadyExists, "MEMBER_EXISTS", "The person is a member already.")

	ErrMemberSuspended = errs.New(errs.PermissionDenied, "MEMBER_SUSPENDED", "You are suspended in this organization.")
	ErrMemberRemoved   = errs.New(errs.PermissionDenied, "MEMBER_REMOVED", "You were removed from the organization: ask to be invited.")
	ErrSuspendSelf     = errs.New(errs.FailedPrecondition, "SUSPEND_SELF", "You can't suspend yourself.")
	ErrLimitReached    = errs.New(errs.FailedPrecondition, "LIMIT_REACHED", "There are as many as there may be.")

	ErrTeamParentUnknown = errs.New(errs.InvalidArgument, "TEAM_PARENT_UNKNOWN", "The team above is no team of the organization.")
	ErrTeamCycle         = errs.New(errs.FailedPrecondition, "TEAM_CYCLE", "A team can't be below itself.")
	ErrTeamTooDeep       = errs.New(errs.FailedPrecondition, "TEAM_TOO_DEEP", "Teams nest up to 3 levels.")
	ErrTeamHasChildren   = errs.New(errs.FailedPrecondition, "TEAM_HAS_CHILDREN", "The team has teams below it.")
	ErrTeamMemberExists  = errs.New(errs.AlreadyExists, "TEAM_MEMBER_EXISTS", "The person is in the team already.")
	ErrUserNotMember     = errs.New(errs.InvalidArgument, "USER_NOT_MEMBER", "The person is no member of the organization.")

	ErrOwnerNotDeniable   = errs.New(errs.FailedPrecondition, "OWNER_NOT_DENIABLE", "Nobody can deny an owner what concerns the organization itself, and no owner can to themselves.")
	ErrTransferNotPending = errs.New(errs.FailedPrecondition, "TRANSFER_NOT_PENDING", "Nobody offers you to become an owner, or no longer.")
	ErrTransferImpossible = errs.New(errs.FailedPrecondition, "TRANSFER_IMPOSSIBLE", "The person is an owner already, or suspended.")

	ErrLinkNotActive   = errs.New(errs.FailedPrecondition, "INVITATION_LINK_NOT_ACTIVE", "The link no longer works.")
	ErrLinkOtherDomain = errs.New(errs.PermissionDenied, "INVITATION_LINK_OTHER_DOMAIN", "The link is for addresses of another domain than yours.")

	ErrDomainExists      = errs.New(errs.AlreadyExists, "DOMAIN_EXISTS", "The organization has the domain already.")
	ErrDomainNotAllowed  = errs.New(errs.InvalidArgument, "DOMAIN_NOT_ALLOWED", "No organization can have this domain as its own.")
	ErrDomainTaken       = errs.New(errs.AlreadyExists, "DOMAIN_TAKEN", "Another organization has verified the domain.")
	ErrDomainNotVerified = errs.New(errs.FailedPrecondition, "DOMAIN_NOT_VERIFIED", "The domain does not show the record that verifies it.")

	ErrSuspended          = errs.New(errs.FailedPrecondition, "ORGANIZATION_SUSPENDED", "The organization is suspended: it can be read and not changed.")
	ErrDeletionPending    = errs.New(errs.FailedPrecondition, "DELETION_PENDING", "The organization is about to be deleted: it can be read and not changed.")
	ErrDeletionBegun      = errs.New(errs.FailedPrecondition, "DELETION_IRREVERSIBLE", "The deletion has begun and can't be called off any more.")
	ErrDeletionNotPending = errs.New(errs.FailedPrecondition, "DELETION_NOT_PENDING", "There is no deletion that could be cancelled.")
	ErrNameMismatch       = errs.New(errs.InvalidArgument, "NAME_MISMATCH", "That is not the organization's name.").WithViolation(
		errs.Violation{Field: "confirmName", Rule: "name", Message: "must be the organization's display name"})
	ErrNoSupporter       = errs.New(errs.PermissionDenied, "PERMISSION_DENIED", "Automation is not let into organizations.")
	ErrSupportGrantFixed = errs.New(errs.FailedPrecondition, "SUPPORT_GRANT_FIXED", "The grant has ended, or is an operator's who broke the glass: it can't be changed.")

	ErrPolicyLocksOut   = errs.New(errs.FailedPrecondition, "POLICY_LOCKS_OUT", "You would not meet that policy yourself.")
	ErrInvitationDomain = errs.New(errs.PermissionDenied, "POLICY_FORBIDS", "The organization's policy does not let people with an address of that domain be invited.").With("policy", "invitationDomain")
)

// Errors lists every refusal above, for the test that holds them against the contract.
func Errors() []*errs.Error {
	return []*errs.Error{errs.ErrNotFound, errs.ErrETagMismatch, ErrLastOwner, ErrSlugTaken, ErrRoleUnknown, ErrGrantExceedsOwn,
		ErrInvitationNotPending, ErrInviterLacksRole, ErrInvitationOtherEmail, ErrInvitationExists, ErrMemberExists,
		ErrRoleCycle, ErrRoleTooDeep, ErrRoleTooComplex, ErrConditionInvalid, ErrPermissionLimit,
		ErrRoleInUse, ErrRoleFixed, ErrRoleLimit, ErrPermissionUnknown, ErrPermissionReserved, ErrPermissionExists,
		ErrPermissionInUse, ErrSubjectUnknown, ErrResourceType, ErrNotDelegable, ErrAssignmentLimit, ErrRoleNotAssignable,
		ErrMemberSuspended, ErrMemberRemoved, ErrSuspendSelf, ErrLimitReached, ErrTeamParentUnknown, ErrTeamCycle, ErrTeamTooDeep, ErrTeamHasChildren,
		ErrTeamMemberExists, ErrUserNotMember, ErrOwnerNotDeniable, ErrTransferNotPending, ErrTransferImpossible,
		ErrLinkNotActive, ErrLinkOtherDomain, ErrDomainExists, ErrDomainNotAllowed, ErrDomainTaken, ErrDomainNotVerified,
		ErrSuspended, ErrDeletionPending, ErrDeletionBegun, ErrDeletionNotPending, ErrNameMismatch,
		ErrPolicyLocksOut, ErrInvitationDomain, ErrNoSupporter, ErrSupportGrantFixed}
}

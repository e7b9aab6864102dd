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

	ErrSuspended          = errs.New(errs.FailedPrecondition, "ORGANIZATION_SUSPENDED", "The organization is suspended: it can be read and not changed.")
	ErrDeletionPending    = errs.New(errs.FailedPrecondition, "DELETION_PENDING", "The organization is about to be deleted: it can be read and not changed.")
	ErrDeletionBegun      = errs.New(errs.FailedPrecondition, "DELETION_IRREVERSIBLE", "The deletion has begun and can't be called off any more.")
	ErrDeletionNotPending = errs.New(errs.FailedPrecondition, "DELETION_NOT_PENDING", "There is no deletion that could be cancelled.")
	ErrNameMismatch       = errs.New(errs.InvalidArgument, "NAME_MISMATCH", "That is not the organization's name.").WithViolation(
		errs.Violation{Field: "confirmName", Rule: "name", Message: "must be the organization's display name"})
)

// Errors lists every refusal above, for the test that holds them against the contract.
func Errors() []*errs.Error {
	return []*errs.Error{errs.ErrNotFound, errs.ErrETagMismatch, ErrLastOwner, ErrSlugTaken, ErrRoleUnknown, ErrGrantExceedsOwn,
		ErrInvitationNotPending, ErrInviterLacksRole, ErrInvitationOtherEmail, ErrInvitationExists, ErrMemberExists, ErrSuspended, ErrDeletionPending, ErrDeletionBegun, ErrDeletionNotPending,
		ErrNameMismatch}
}

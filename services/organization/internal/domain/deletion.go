package domain

import "github.com/braidhq/braid/platform/errs"

// OrganizationState says what can be done with an organization.
type OrganizationState string

// The states of an organization.
const (
	Active          OrganizationState = "active"
	Suspended       OrganizationState = "suspended"
	DeletionPending OrganizationState = "deletion_pending"
	Deleting        OrganizationState = "deleting"
)

// Frozen returns why the organization can't be changed, or nil.
func (s OrganizationState) Frozen() *errs.Error {
	switch s {
	case Suspended:
		return ErrSuspended
	case DeletionPending, Deleting:
		return ErrDeletionPending
	default:
		return nil
	}
}

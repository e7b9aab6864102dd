package domain

import (
	"slices"
	"time"

	"github.com/braidhq/braid/platform/id"
)

// TransferLifetime is how long an offered ownership can be accepted.
const TransferLifetime = 7 * 24 * time.Hour

// Transfer is an owner's offer of their place.
type Transfer struct {
	OrganizationID id.ID
	ID             id.ID
	OwnerID        id.ID
	UserID         id.ID
	CreatedAt      time.Time
	ExpiresAt      time.Time
}

// CheckOffer refuses to offer ownership to one who can't have it, or has it.
func CheckOffer(to Membership) error {
	if to.Suspended() || slices.Contains(to.RoleIDs, Owner) {
		return ErrTransferImpossible.With("userId", to.UserID.String())
	}
	return nil
}

// CheckAccept refuses an acceptance that comes too late, is not the offered person's, or that whoever offered can't bear
// any more: from is their membership at this moment.
func (t Transfer) CheckAccept(userID id.ID, from Membership, now time.Time) error {
	if t.UserID != userID || !now.Before(t.ExpiresAt) || from.Suspended() || !slices.Contains(from.RoleIDs, Owner) {
		return ErrTransferNotPending
	}
	return nil
}

// HandOver returns the roles of both after the acceptance: the one an owner, the other an admin. Roles of the
// organization's own stay with whoever has them.
func HandOver(from, to []string) (fromAfter, toAfter []string) {
	return withSystemRole(Admin, from), withSystemRole(Owner, to)
}

func withSystemRole(systemRole string, roleIDs []string) []string {
	isSystem := func(roleID string) bool {
		return slices.ContainsFunc(systemRoles, func(role Role) bool { return role.ID == roleID })
	}
	return append([]string{systemRole}, slices.DeleteFunc(slices.Clone(roleIDs), isSystem)...)
}

package consumer

import (
	"errors"
	"fmt"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/audit/internal/domain"
)

// membershipChangeOf returns who came into or left which organization, when that is what an event tells.
func membershipChangeOf(event bus.Event) (change domain.MembershipChange, ok bool, err error) {
	var organization, user string
	switch event.Type {
	case "organization.member.added":
		added := &organizationv1.MemberAdded{}
		err = event.Unmarshal(added)
		organization, user, change.Member = added.GetOrganizationId(), added.GetUserId(), true
	case "organization.member.removed":
		removed := &organizationv1.MemberRemoved{}
		err = event.Unmarshal(removed)
		organization, user = removed.GetOrganizationId(), removed.GetUserId()
	default:
		return change, false, nil
	}
	if err != nil {
		return change, false, err
	}
	var organizationErr, userErr error
	change.OrganizationID, organizationErr = id.Parse(organization)
	change.UserID, userErr = id.Parse(user)
	if err := errors.Join(organizationErr, userErr); err != nil {
		return change, false, fmt.Errorf("%w: read membership: %w", bus.ErrMalformed, err)
	}
	change.OccurredAt = event.Time
	return change, true, nil
}

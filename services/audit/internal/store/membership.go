package store

import (
	"context"
	"time"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/audit/internal/domain"
)

// LockMemberships lets one transaction at a time read or write who is a member, until it ends. It is queued.
func LockMemberships(ctx context.Context, tx *pg.Tx) error { return queued(tx).LockMemberships(ctx) }

// InsertMembershipChanges writes changes, unless they are there, and the entries that they make missing. It is queued.
func InsertMembershipChanges(ctx context.Context, tx *pg.Tx, changes []domain.MembershipChange) error {
	var organizations, users, joinedOrganizations, joinedUsers []id.ID
	var times, joinedTimes []time.Time
	var members []bool
	for _, change := range changes {
		organizations = append(organizations, change.OrganizationID)
		users = append(users, change.UserID)
		times = append(times, change.OccurredAt)
		members = append(members, change.Member)
		if change.Member {
			joinedOrganizations = append(joinedOrganizations, change.OrganizationID)
			joinedUsers = append(joinedUsers, change.UserID)
			joinedTimes = append(joinedTimes, change.OccurredAt)
		}
	}
	queries := queued(tx)
	if err := queries.InsertMembershipChanges(ctx, organizations, users, times, members); err != nil {
		return err
	}
	return queries.InsertMissingEntries(ctx, joinedOrganizations, joinedUsers, joinedTimes)
}

package store

import (
	"context"

	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/audit/internal/domain"
)

// LockMemberships lets one transaction at a time read or write who is a member, until it ends. It is queued.
func LockMemberships(ctx context.Context, tx *pg.Tx) error { return queued(tx).LockMemberships(ctx) }

// InsertMembershipChange writes a change, unless it is there, and the entries that it makes missing. It is queued.
func InsertMembershipChange(ctx context.Context, tx *pg.Tx, change domain.MembershipChange) error {
	err := queued(tx).InsertMembershipChange(ctx, change.OrganizationID, change.UserID, change.OccurredAt, change.Member)
	if err != nil || !change.Member {
		return err
	}
	return queued(tx).InsertMissingEntries(ctx, change.OrganizationID, change.UserID, change.OccurredAt)
}

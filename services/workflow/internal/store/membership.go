package store

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/store/db"
)

// membershipKey is the advisory lock of one user in one organization, made of the identifiers' random halves. Two that
// have the same wait for each other without need, and nothing worse.
func membershipKey(organizationID, userID id.ID) int64 {
	return int64(binary.BigEndian.Uint64(organizationID[8:]) ^ binary.BigEndian.Uint64(userID[8:]))
}

// shareMembership queues a lock: no removal of the user is heard between the next statement and the transaction's end.
// The zero id, which is nobody, needs none.
func shareMembership(ctx context.Context, tx *pg.Tx, organizationID, userID id.ID) error {
	if userID.IsZero() {
		return nil
	}
	return queued(tx).ShareMembership(ctx, membershipKey(organizationID, userID))
}

// WasRemoved reports whether the latest that was heard of a user is a removal, and keeps it so until the transaction
// ends.
func WasRemoved(ctx context.Context, tx *pg.Tx, organizationID, userID id.ID) (bool, error) {
	if err := shareMembership(ctx, tx, organizationID, userID); err != nil {
		return false, err
	}
	removed, err := db.New(tx).IsRemoved(ctx, organizationID, userID)
	return removed, explain("read membership", err)
}

// SaveRemoval keeps that a user was removed, under the worker role, and reports whether that is news. Before, it waits
// for every transaction that gives the user a task; those after it see the removal.
func SaveRemoval(ctx context.Context, tx *pg.Tx, organizationID, userID id.ID, at time.Time) (news bool, err error) {
	if err := queued(tx).LockMembership(ctx, membershipKey(organizationID, userID)); err != nil {
		return false, err
	}
	saved, err := db.New(tx).SaveMembership(ctx, db.SaveMembershipParams{
		OrganizationID: organizationID, UserID: userID, Removed: true, ChangedAt: at,
	})
	return saved > 0, explain("save removal", err)
}

// SaveAddition queues that a user became a member, under the worker role.
func SaveAddition(ctx context.Context, tx *pg.Tx, organizationID, userID id.ID, at time.Time) error {
	_, err := queued(tx).SaveMembership(ctx, db.SaveMembershipParams{
		OrganizationID: organizationID, UserID: userID, ChangedAt: at,
	})
	return explain("save addition", err)
}

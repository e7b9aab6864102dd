package store

import (
	"context"
	"time"

	"github.com/braidhq/braid/platform/deletion"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/store/db"
)

// ReplaceDeletion writes a new deletion of a user in the place of an earlier one.
func ReplaceDeletion(ctx context.Context, tx *pg.Tx, requested deletion.Deletion) error {
	queries := db.New(tx)
	if err := queries.DeleteSteps(ctx, requested.SubjectID); err != nil {
		return explain("delete steps", err)
	}
	return explain("write deletion", queries.ReplaceDeletion(ctx, db.ReplaceDeletionParams{
		ID: requested.SubjectID, AttemptID: requested.AttemptID, RequestedAt: requested.RequestedAt, StartedAt: requested.StartedAt,
	}))
}

// SetLeaving writes when a user leaves; nil is never.
func SetLeaving(ctx context.Context, tx *pg.Tx, userID id.ID, at *time.Time) error {
	return explain("write when a user leaves", db.New(tx).SetLeaving(ctx, at, userID))
}

// KeepAccount is SetLeaving to never, for the worker role, as all that follows.
func KeepAccount(ctx context.Context, tx *pg.Tx, userID id.ID) error {
	return explain("keep account", db.New(tx).KeepAccount(ctx, userID))
}

// EraseAddress removes rows that are known by a user's address only, some at a time, and returns how many.
func EraseAddress(ctx context.Context, tx *pg.Tx, userID id.ID, atMost int) (int64, error) {
	erased, err := db.New(tx).EraseAddress(ctx, userID, int32(atMost)) //nolint:gosec // It is a few thousand.
	return erased, explain("erase what is known by an address", err)
}

// DeleteAccount removes a user's row, when all that refers to it is gone.
func DeleteAccount(ctx context.Context, tx *pg.Tx, userID id.ID) error {
	return explain("delete account", db.New(tx).DeleteAccount(ctx, userID))
}

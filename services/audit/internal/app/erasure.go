package app

import (
	"context"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/audit/internal/store"
)

// EraseBodies erases bodies that are a person's data, atMost of them, and returns how many it erased: fewer than atMost
// when none is left. The records stay, with the hashes of what is gone. It is for the worker role.
func (a *App) EraseBodies(ctx context.Context, tx *pg.Tx, personID id.ID, atMost int) (int, error) {
	return store.DeleteBodies(ctx, tx, personID, atMost)
}

// EraseOrganizationBodies erases bodies of an organization's own records, in the order of the records behind after, and
// returns the last of them it has looked at, or "" at the end. The records stay. It is for the worker role.
func (a *App) EraseOrganizationBodies(ctx context.Context, tx *pg.Tx, organizationID id.ID, after string, atMost int) (string, int64, error) {
	return store.DeleteOrganizationBodies(ctx, tx, organizationID, after, atMost)
}

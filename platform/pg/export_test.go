package pg

import (
	"context"
	"fmt"
	"time"
)

// SetSharing makes those who wait for a shared transaction, and the transaction itself, last as long as a test needs.
func SetSharing(db *DB, patience, life time.Duration) {
	db.sharing.patience, db.sharing.life = patience, life
}

// SessionScopes returns what each idle connection of the app role would take for its scope outside any transaction.
func SessionScopes(ctx context.Context, db *DB) ([]string, error) {
	var scopes []string
	for _, connection := range append(db.app.AcquireAllIdle(ctx), db.shared.AcquireAllIdle(ctx)...) {
		defer connection.Release()
		var scope string
		err := connection.QueryRow(ctx, `select coalesce(current_setting('app.organization_id', true), '') ||
			coalesce(current_setting('app.user_id', true), '')`).Scan(&scope)
		if err != nil {
			return nil, fmt.Errorf("read a session's scope: %w", err)
		}
		scopes = append(scopes, scope)
	}
	return scopes, nil
}

package inbox

import (
	"context"
	"fmt"
	"time"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

// Forget makes the service's consumers drop what they hear of an organization, or of a person outside organizations, from
// now on (but what Config.Remembered
// names): when the transaction has committed, everything that they have applied of it is visible, and nothing follows.
//
// Whoever applies events reads the table in the same transaction, and so holds a lock on it from before the reading to the
// end. The lock here waits for all of them, and they wait for it; the transaction should be short, and begin with this.
func Forget(ctx context.Context, tx *pg.Tx, organizationID id.ID, now time.Time) error {
	tx.Queue(`lock table forgotten_organization in access exclusive mode`)
	_, err := tx.Exec(ctx, `insert into forgotten_organization (id, forgotten_at) values ($1, $2) on conflict do nothing`, organizationID, now)
	if err != nil {
		return fmt.Errorf("forget organization: %w", err)
	}
	return nil
}

// Forgotten returns which of the organizations are forgotten: for handlers that hear of them all the same.
func Forgotten(ctx context.Context, tx *pg.Tx, organizationIDs []id.ID) (map[id.ID]bool, error) {
	rows, err := tx.Query(ctx, `select id from forgotten_organization where id = any($1::uuid[])`, organizationIDs)
	if err != nil {
		return nil, fmt.Errorf("read forgotten organizations: %w", err)
	}
	defer rows.Close()
	forgotten := map[id.ID]bool{}
	for rows.Next() {
		var organizationID id.ID
		if err := rows.Scan(&organizationID); err != nil {
			return nil, fmt.Errorf("read forgotten organizations: %w", err)
		}
		forgotten[organizationID] = true
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read forgotten organizations: %w", err)
	}
	return forgotten, nil
}

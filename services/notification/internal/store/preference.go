package store

import (
	"context"
	"fmt"
	"time"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/domain"
	"github.com/braidhq/braid/services/notification/internal/store/db"
)

// ListPreferences returns the rows a person has ever set.
func ListPreferences(ctx context.Context, querier pg.Querier, userID id.ID) ([]domain.Preference, error) {
	rows, err := db.New(querier).ListPreferences(ctx, db.ListPreferencesParams{UserID: userID})
	if err != nil {
		return nil, fmt.Errorf("list preferences: %w", err)
	}
	preferences := make([]domain.Preference, 0, len(rows))
	for _, row := range rows {
		preferences = append(preferences, domain.Preference{
			Kind: domain.Kind(row.Kind), Channel: domain.Channel(row.Channel), Enabled: row.Enabled,
		})
	}
	return preferences, nil
}

// MergePreferences sets the rows given, each kind and channel at most once, and leaves the others. It goes out with the
// transaction's next statement.
func MergePreferences(ctx context.Context, tx *pg.Tx, userID id.ID, given []domain.Preference, now time.Time) error {
	params := db.MergePreferencesParams{UserID: userID, UpdatedAt: now}
	for _, preference := range given {
		params.Kinds = append(params.Kinds, string(preference.Kind))
		params.Channels = append(params.Channels, string(preference.Channel))
		params.Enabled = append(params.Enabled, preference.Enabled)
	}
	if err := db.New(queued{tx}).MergePreferences(ctx, params); err != nil {
		return fmt.Errorf("merge preferences: %w", err)
	}
	return nil
}

package app

import (
	"context"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/domain"
	"github.com/braidhq/braid/services/notification/internal/store"
)

// Preferences are what a person wants to hear, and where.
type Preferences struct {
	DB    *pg.DB
	Clock clock.Clock
}

// Get returns a row for every kind and channel.
func (p *Preferences) Get(ctx context.Context, userID id.ID) ([]domain.Preference, error) {
	set, err := store.ListPreferences(ctx, p.DB.Read(pg.Scope{UserID: userID}), userID)
	if err != nil {
		return nil, err
	}
	return domain.CompletePreferences(set), nil
}

// Update merges the rows given into the person's preferences and returns all of them. No rows change nothing.
func (p *Preferences) Update(ctx context.Context, tx *pg.Tx, userID id.ID, given []domain.Preference) ([]domain.Preference, error) {
	if err := domain.CheckPreferences(given); err != nil {
		return nil, err
	}
	if len(given) > 0 {
		if err := store.MergePreferences(ctx, tx, userID, given, p.Clock.Now()); err != nil {
			return nil, err
		}
		if err := appendPreferencesUpdated(ctx, tx, p.Clock, userID); err != nil {
			return nil, err
		}
	}
	set, err := store.ListPreferences(ctx, tx, userID)
	if err != nil {
		return nil, err
	}
	return domain.CompletePreferences(set), nil
}

package app

import (
	"context"
	"crypto/rand"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/audit/internal/domain"
	"github.com/braidhq/braid/services/audit/internal/store"
)

// Record keeps a fact, once for its event however often it is told. It is for the worker role, and costs no round trip:
// everything goes out with the transaction's next statement or with COMMIT.
func (a *App) Record(ctx context.Context, tx *pg.Tx, fact domain.Fact, body domain.Body) error {
	salt := make([]byte, domain.SaltSize)
	_, _ = rand.Read(salt) // It never fails: it ends the process instead.
	sealed, err := body.Seal(salt)
	if err != nil {
		return err
	}
	record := domain.Record{ID: id.New(), Fact: fact, RecordedAt: a.Clock.Now(), BodyHash: sealed.Hash}
	if !fact.PersonID.IsZero() {
		if err := store.LockMemberships(ctx, tx); err != nil {
			return err
		}
	}
	return store.InsertRecord(ctx, tx, record, sealed)
}

// ChangeMembership keeps that somebody came or left. What they did since, and was heard of before, is added to the
// organization's trail. It is for the worker role and costs no round trip.
func (a *App) ChangeMembership(ctx context.Context, tx *pg.Tx, change domain.MembershipChange) error {
	// Whoever records something of the person at this moment either sees this change or is seen by it.
	if err := store.LockMemberships(ctx, tx); err != nil {
		return err
	}
	return store.InsertMembershipChange(ctx, tx, change)
}

// Search is what a caller wants to see of a trail, as it came.
type Search struct {
	Filter    string
	PageSize  int32
	PageToken string
}

// ListRecords returns a page of an organization's trail, the newest first, and the token of the next.
func (a *App) ListRecords(ctx context.Context, organizationID id.ID, search Search) (string, []domain.Record, error) {
	query, err := store.Records.Parse(list.Request{
		Filter: search.Filter, PageSize: search.PageSize, PageToken: search.PageToken,
		Binding: []string{organizationID.String()},
	})
	if err != nil {
		return "", nil, err
	}
	return store.ListRecords(ctx, a.DB.Read(pg.ScopeOf(ctx)), organizationID, query)
}

// GetRecord returns one record of an organization's trail.
func (a *App) GetRecord(ctx context.Context, organizationID, recordID id.ID) (domain.Record, error) {
	// A body may be larger than what a point read takes.
	return store.GetRecord(ctx, a.DB.Read(pg.ScopeOf(ctx)), organizationID, recordID)
}

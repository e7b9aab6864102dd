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

// Occurrence is what happened, whole: the part that stays for good and the part that may be erased.
type Occurrence struct {
	domain.Fact
	domain.Body
}

// Record keeps occurrences, each once for its event however often it is told, after the changes of memberships that were
// heard with them. What was heard before of those who came is added to the trails of their organizations. It is for the
// worker role, and costs no round trip: everything goes out with the transaction's next statement or with COMMIT.
//
// Of what is heard of an organization that was erased, the record stays and the body is not kept; who is a member of
// it is nothing any more.
func (a *App) Record(ctx context.Context, tx *pg.Tx, occurrences []Occurrence, changes []domain.MembershipChange) error {
	records := make([]domain.SealedRecord, 0, len(occurrences))
	personal := false
	for _, occurrence := range occurrences {
		salt := make([]byte, domain.SaltSize)
		_, _ = rand.Read(salt) // It never fails: it ends the process instead.
		sealed, err := occurrence.Seal(salt)
		if err != nil {
			return err
		}
		records = append(records, domain.SealedRecord{ID: id.New(), Fact: occurrence.Fact, Sealed: sealed})
		personal = personal || !occurrence.PersonID.IsZero()
	}
	if personal || len(changes) > 0 {
		// Of a person's record and a change of theirs at the same moment, one sees the other.
		if err := store.LockMemberships(ctx, tx); err != nil {
			return err
		}
	}
	if len(changes) > 0 {
		if err := store.InsertMembershipChanges(ctx, tx, changes); err != nil {
			return err
		}
	}
	return store.InsertRecords(ctx, tx, records, a.Clock.Now())
}

// ListRecords returns a page of an organization's trail and the token of the next.
func (a *App) ListRecords(ctx context.Context, organizationID id.ID, request list.Request) (string, []domain.Record, error) {
	request.Binding = []string{organizationID.String()}
	query, err := store.Records.Parse(request)
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

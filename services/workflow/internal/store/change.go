package store

import (
	"context"
	"time"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/domain"
	"github.com/braidhq/braid/services/workflow/internal/store/db"
)

// Change is one revision of a project as it is kept: Payload is a braid.workflow.v1.ProjectChange.
type Change struct {
	Revision int64
	Payload  []byte
}

var insertChange = pg.NewGrouped(
	"project_id uuid, organization_id uuid, revision bigint, payload bytea, created_at timestamptz",
	`insert into project_change ({names}) select {names} from {calls}`)

// InsertChange queues a change of a project that is locked.
func InsertChange(tx *pg.Tx, project domain.Project, change Change, now time.Time) {
	tx.QueueGrouped(insertChange, project.ID, project.OrganizationID, change.Revision, change.Payload, now)
}

// ListChanges returns at most limit changes after a revision, in order. They have no gaps but at the beginning, where
// old ones have been removed: a project's changes are committed in the order of their revisions, because each takes its
// revision from the locked row of the project and keeps the lock until it is committed.
func ListChanges(ctx context.Context, querier pg.Querier, of domain.ProjectRef, after int64, limit int) ([]Change, error) {
	rows, err := db.New(querier).ListChanges(ctx, db.ListChangesParams{
		OrganizationID: of.OrganizationID, ProjectID: of.ProjectID, After: after, Batch: int32(limit),
	})
	if err != nil {
		return nil, explain("list changes", err)
	}
	changes := make([]Change, 0, len(rows))
	for _, row := range rows {
		changes = append(changes, Change(row))
	}
	return changes, nil
}

// ListRevisions returns the revisions of projects of any organization; for the worker role.
func ListRevisions(ctx context.Context, querier pg.Querier, of []domain.ProjectRef) (map[domain.ProjectRef]int64, error) {
	organizationIDs, projectIDs := make([]id.ID, len(of)), make([]id.ID, len(of))
	for i, ref := range of {
		organizationIDs[i], projectIDs[i] = ref.OrganizationID, ref.ProjectID
	}
	rows, err := db.New(querier).ListProjectRevisions(ctx, organizationIDs, projectIDs)
	if err != nil {
		return nil, explain("list revisions", err)
	}
	revisions := make(map[domain.ProjectRef]int64, len(rows))
	for _, row := range rows {
		revisions[domain.ProjectRef{OrganizationID: row.OrganizationID, ProjectID: row.ID}] = row.Revision
	}
	return revisions, nil
}

// DeleteChanges removes at most limit changes made before a time, for the worker role, and returns how many.
func DeleteChanges(ctx context.Context, database *pg.DB, before time.Time, limit int) (removed int64, err error) {
	err = database.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		removed, err = db.New(tx).DeleteChanges(ctx, before, int32(limit))
		return err
	})
	return removed, explain("delete old changes", err)
}

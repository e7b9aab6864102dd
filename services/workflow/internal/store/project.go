package store

import (
	"context"
	"fmt"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/domain"
	"github.com/braidhq/braid/services/workflow/internal/store/db"
)

// Projects declares what a list of projects can be asked for.
var Projects = list.Spec{
	Name: "projects",
	Fields: map[string]list.Field{
		"key":         {Column: "key", Type: list.String},
		"displayName": {Column: "display_name", Type: list.Text},
		"archived":    {Column: "archived", Type: list.Bool},
		"createTime":  {Column: "created_at", Type: list.Time},
		"updateTime":  {Column: "updated_at", Type: list.Time},
	},
	Orders: map[string]list.Order{
		"createTime": {Column: "created_at", Type: list.Time},
		"updateTime": {Column: "updated_at", Type: list.Time},
		"key":        {Column: "key", Type: list.String, Unique: true},
	},
	Default:  "createTime",
	Tiebreak: list.Order{Column: "id", Type: list.ID},
}

// InsertProject keeps a new project; ErrProjectKeyTaken when its key is in use.
func InsertProject(ctx context.Context, tx *pg.Tx, project domain.Project) error {
	err := db.New(tx).InsertProject(ctx, db.InsertProjectParams{
		OrganizationID: project.OrganizationID, ID: project.ID, Key: project.Key, DisplayName: project.DisplayName,
		Description: project.Description, CreatedAt: project.CreateTime, OwnerID: project.OwnerID,
	})
	if pg.ConstraintOf(err) == "project_key_unique" {
		return domain.ErrProjectKeyTaken.With("key", project.Key).WithCause(err)
	}
	return explain("insert project", err)
}

// GetProject reads a project.
func GetProject(ctx context.Context, querier pg.Querier, organizationID, projectID id.ID) (domain.Project, error) {
	row, err := db.New(querier).GetProject(ctx, organizationID, projectID)
	return toProject(row), explain("read project", err)
}

// LockProject reads a project and keeps all other changes in it waiting until the transaction ends.
func LockProject(ctx context.Context, tx *pg.Tx, organizationID, projectID id.ID) (domain.Project, error) {
	row, err := db.New(tx).LockProject(ctx, organizationID, projectID)
	return toProject(row), explain("lock project", err)
}

// SaveProject queues the project's own fields and its revision.
func SaveProject(ctx context.Context, tx *pg.Tx, project domain.Project) error {
	return queued(tx).UpdateProject(ctx, db.UpdateProjectParams{
		OrganizationID: project.OrganizationID, ID: project.ID, DisplayName: project.DisplayName,
		Description: project.Description, Archived: project.Archived, UpdatedAt: project.UpdateTime, Revision: project.Revision,
	})
}

// SaveRevision queues the project's revision alone.
func SaveRevision(ctx context.Context, tx *pg.Tx, project domain.Project) error {
	return queued(tx).UpdateProjectRevision(ctx, project.Revision, project.OrganizationID, project.ID)
}

const listProjects = `select organization_id, id, key, display_name, description, archived, created_at, updated_at,
    revision, own_revision, owner_id
from project where organization_id = $1`

// ListProjects reads a page of those of an organization's projects that visible has; nil has all.
func ListProjects(ctx context.Context, querier pg.Querier, query *list.Query, organizationID id.ID, visible *access.Reach) ([]domain.Project, string, error) {
	base, arguments := restrict(listProjects, visible, projectColumns, organizationID)
	sql, arguments := query.Build(base, arguments...)
	rows, err := querier.Query(ctx, sql, arguments...)
	if err != nil {
		return nil, "", fmt.Errorf("list projects: %w", err)
	}
	defer rows.Close()
	var projects []domain.Project
	for rows.Next() {
		var row domain.Project
		if err := rows.Scan(&row.OrganizationID, &row.ID, &row.Key, &row.DisplayName, &row.Description, &row.Archived,
			&row.CreateTime, &row.UpdateTime, &row.Revision, &row.OwnRevision, &row.OwnerID); err != nil {
			return nil, "", fmt.Errorf("list projects: %w", err)
		}
		projects = append(projects, row)
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("list projects: %w", err)
	}
	next, page := list.Page(query, projects, projectOrder)
	return page, next, nil
}

func projectOrder(project domain.Project, order string) any {
	switch order {
	case "createTime":
		return project.CreateTime
	case "updateTime":
		return project.UpdateTime
	case "key":
		return project.Key
	default:
		return project.ID
	}
}

func toProject(row db.Project) domain.Project {
	return domain.Project{
		OrganizationID: row.OrganizationID, ID: row.ID, Key: row.Key, DisplayName: row.DisplayName,
		Description: row.Description, Archived: row.Archived, CreateTime: row.CreatedAt.UTC(), UpdateTime: row.UpdatedAt.UTC(),
		Revision: row.Revision, OwnRevision: row.OwnRevision, OwnerID: row.OwnerID,
	}
}

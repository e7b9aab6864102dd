package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/domain"
	"github.com/braidhq/braid/services/workflow/internal/store/db"
)

// Tasks declares what a list of tasks can be asked for.
var Tasks = list.Spec{
	Name: "tasks",
	Fields: map[string]list.Field{
		"status":     {Column: "status", Type: list.String},
		"assigneeId": {Column: "assignee_id", Type: list.ID},
		"reporterId": {Column: "reporter_id", Type: list.ID},
		"priority":   {Column: "priority", Type: list.Enum, Values: priorities},
		"labels":     {Column: "labels", Type: list.StringSet},
		"title":      {Column: "title", Type: list.Text},
		"dueTime":    {Column: "due_at", Type: list.Time},
		"createTime": {Column: "created_at", Type: list.Time},
		"updateTime": {Column: "updated_at", Type: list.Time},
	},
	Orders: map[string]list.Order{
		"number":     {Column: "number", Type: list.Int, Unique: true},
		"createTime": {Column: "created_at", Type: list.Time},
		"updateTime": {Column: "updated_at", Type: list.Time},
		"dueTime":    {Column: "due_at", Type: list.Time, Nullable: true},
		"priority":   {Column: "priority", Type: list.Int},
	},
	Default:  "number",
	Tiebreak: list.Order{Column: "id", Type: list.ID},
}

var priorities = map[string]any{
	"LOW": int(domain.Low), "NORMAL": int(domain.Normal), "HIGH": int(domain.High), "URGENT": int(domain.Urgent),
}

// insertTask takes the project's next number and revision, and makes the task, in one statement. It gives no row for a
// project that is missing or archived, and for an assignee who was removed. The left join that MERGE makes of what may
// not match keeps the calls on the outer side; a plain update could begin with the projects.
var insertTask = pg.NewGrouped(`id uuid, organization_id uuid, project_id uuid, title text, description text, status text,
	priority smallint, assignee_id uuid, reporter_id uuid, due_at timestamptz, labels text[], created_at timestamptz`, `
with taken as (
    merge into project using {calls} on project.organization_id = calls.organization_id and project.id = calls.project_id
    when matched and not project.archived and (
        select removed from membership where membership.organization_id = calls.organization_id and user_id = calls.assignee_id
    ) is not true then update set next_number = next_number + 1, revision = revision + 1
    when not matched and false then insert default values
    returning calls.*, project.next_number - 1 as number, project.key as project_key, project.revision
)
insert into task ({names}, updated_at, number, project_key, revision)
select {names}, created_at, number, project_key, revision from taken
returning id, number, project_key, revision`)

// InsertTask keeps a new task with its project's next number and revision, which it sets in task. The project is locked
// from then on. ErrNotFound and ErrProjectArchived say what is wrong with the project, ErrAssigneeUnsettled with the
// assignee.
func InsertTask(ctx context.Context, tx *pg.Tx, task *domain.Task) error {
	if err := shareMembership(ctx, tx, task.OrganizationID, task.AssigneeID); err != nil {
		return err
	}
	err := tx.QueryRowGrouped(ctx, insertTask, task.ID, task.OrganizationID, task.ProjectID, task.Title, task.Description,
		string(task.Status), int16(task.Priority), task.AssigneeID, task.ReporterID, nullTime(task.DueTime), task.Labels, task.CreateTime,
	).Scan(&task.ID, &task.Number, &task.ProjectKey, &task.Revision)
	if errors.Is(err, pg.ErrNoRows) {
		return explainNoTask(ctx, tx, task)
	}
	return explain("insert task", err)
}

// explainNoTask says why a project gave no number.
func explainNoTask(ctx context.Context, tx *pg.Tx, task *domain.Task) error {
	project, err := GetProject(ctx, tx, task.OrganizationID, task.ProjectID)
	switch {
	case err != nil:
		return err
	case project.Archived || task.AssigneeID.IsZero():
		// Without an assignee it was archived, even if it is so no longer.
		return domain.ErrProjectArchived
	default:
		// The assignee was removed, or the project archived, when the task was to be made. Both may have been taken back
		// since, so only asking again tells.
		return domain.ErrAssigneeUnsettled
	}
}

// GetTask reads a task.
func GetTask(ctx context.Context, querier pg.Querier, organizationID, taskID id.ID) (domain.Task, error) {
	row, err := db.New(querier).GetTask(ctx, organizationID, taskID)
	return toTask(row), explain("read task", err)
}

// LockTask reads a task and its project, and keeps all other changes in the project waiting until the transaction ends.
func LockTask(ctx context.Context, tx *pg.Tx, organizationID, taskID id.ID) (domain.Project, domain.Task, error) {
	return LockTaskFor(ctx, tx, organizationID, taskID, id.ID{})
}

// LockTaskFor is LockTask for giving the task to a user; ErrAssigneeUnsettled says that the user was removed.
func LockTaskFor(ctx context.Context, tx *pg.Tx, organizationID, taskID, assigneeID id.ID) (domain.Project, domain.Task, error) {
	if err := shareMembership(ctx, tx, organizationID, assigneeID); err != nil {
		return domain.Project{}, domain.Task{}, err
	}
	row, err := db.New(tx).LockTask(ctx, organizationID, assigneeID, taskID)
	if err == nil && row.AssigneeRemoved {
		err = domain.ErrAssigneeUnsettled
	}
	return toProject(row.Project), toTask(row.Task), explain("lock task", err)
}

// SaveTask queues the task's fields and the project's revision.
func SaveTask(ctx context.Context, tx *pg.Tx, project domain.Project, task domain.Task) error {
	if err := SaveRevision(ctx, tx, project); err != nil {
		return err
	}
	return queued(tx).UpdateTask(ctx, db.UpdateTaskParams{
		OrganizationID: task.OrganizationID, ID: task.ID, Title: task.Title, Description: task.Description,
		Status: string(task.Status), Priority: int16(task.Priority), AssigneeID: task.AssigneeID, DueAt: nullTime(task.DueTime),
		Labels: task.Labels, UpdatedAt: task.UpdateTime, Revision: task.Revision,
	})
}

// SaveAssignee queues who does the task, and the project's revision: all that the worker role may change.
func SaveAssignee(ctx context.Context, tx *pg.Tx, project domain.Project, task domain.Task) error {
	if err := SaveRevision(ctx, tx, project); err != nil {
		return err
	}
	return queued(tx).UpdateTaskAssignee(ctx, db.UpdateTaskAssigneeParams{
		OrganizationID: task.OrganizationID, ID: task.ID, AssigneeID: task.AssigneeID, UpdatedAt: task.UpdateTime,
		Revision: task.Revision,
	})
}

// SaveCommenters queues who has commented.
func SaveCommenters(ctx context.Context, tx *pg.Tx, task domain.Task) error {
	return queued(tx).UpdateTaskCommenters(ctx, task.CommenterIDs, task.OrganizationID, task.ID)
}

// DeleteTask queues the removal of a task with its comments, and the project's revision.
func DeleteTask(ctx context.Context, tx *pg.Tx, project domain.Project, task domain.Task) error {
	if err := SaveRevision(ctx, tx, project); err != nil {
		return err
	}
	if err := queued(tx).DeleteTaskComments(ctx, task.OrganizationID, task.ID); err != nil {
		return err
	}
	return queued(tx).DeleteTask(ctx, task.OrganizationID, task.ID)
}

// ListOpenTasksOf returns some of the open tasks that a user does, not locked.
func ListOpenTasksOf(ctx context.Context, tx *pg.Tx, organizationID, assigneeID id.ID, limit int) ([]id.ID, error) {
	taskIDs, err := db.New(tx).ListOpenTasksOfAssignee(ctx, organizationID, assigneeID, int32(limit))
	return taskIDs, explain("list open tasks of a user", err)
}

// The page hangs on the project's row, so that a missing project (no row) and an empty page (one row without a task) are
// told apart in one statement. A project is one row, so its left join can only be a nested loop over the page, which
// keeps the page's order.
var listTasks = "select " + pg.Columns[db.Task]() + " from task where organization_id = $1 and project_id = $2"

const (
	listTasksBefore = "select page.* from project left join ("
	listTasksAfter  = ") as page on true where project.organization_id = $1 and project.id = $2"
)

// ListTasks reads a page of those of a project's tasks that visible has; nil has all. ErrNotFound when there is no such
// project.
func ListTasks(ctx context.Context, querier pg.Querier, query *list.Query, organizationID, projectID id.ID, visible *access.Reach) ([]domain.Task, string, error) {
	base, arguments := restrict(listTasks, visible, taskColumns, organizationID, projectID)
	sql, arguments := query.Build(base, arguments...)
	rows, err := querier.Query(ctx, listTasksBefore+sql+listTasksAfter, arguments...)
	if err != nil {
		return nil, "", fmt.Errorf("list tasks: %w", err)
	}
	tasks, err := readPage(rows, toTask)
	if err != nil {
		return nil, "", explain("list tasks", err)
	}
	next, page := list.Page(query, tasks, taskOrder)
	return page, next, nil
}

// readPage reads the rows of a page that hangs on its parent's row; ErrNoRows when there was not even that.
func readPage[Row, Item any](rows pgx.Rows, convert func(Row) Item) ([]Item, error) {
	defer rows.Close()
	found := false
	var page []Item
	for rows.Next() {
		found = true
		if rows.RawValues()[0] == nil {
			continue
		}
		row, err := pgx.RowToStructByPos[Row](rows)
		if err != nil {
			return nil, err
		}
		page = append(page, convert(row))
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if !found {
		return nil, pg.ErrNoRows
	}
	return page, nil
}

func taskOrder(task domain.Task, order string) any {
	switch order {
	case "number":
		return task.Number
	case "createTime":
		return task.CreateTime
	case "updateTime":
		return task.UpdateTime
	case "dueTime":
		return nullTime(task.DueTime)
	case "priority":
		return int(task.Priority)
	default:
		return task.ID
	}
}

func toTask(row db.Task) domain.Task {
	return domain.Task{
		OrganizationID: row.OrganizationID, ID: row.ID, ProjectID: row.ProjectID, ProjectKey: row.ProjectKey,
		Number: row.Number, Status: domain.Status(row.Status), AssigneeID: row.AssigneeID, ReporterID: row.ReporterID,
		CreateTime: row.CreatedAt.UTC(), UpdateTime: row.UpdatedAt.UTC(), Revision: row.Revision, CommenterIDs: row.CommenterIds,
		TaskContent: domain.TaskContent{
			Title:       row.Title,
			Description: row.Description,
			Priority:    domain.Priority(row.Priority),
			DueTime:     zeroTime(row.DueAt),
			Labels:      row.Labels,
		},
	}
}

func nullTime(value time.Time) *time.Time {
	if value.IsZero() {
		return nil
	}
	return &value
}

func zeroTime(value *time.Time) time.Time {
	if value == nil {
		return time.Time{}
	}
	return value.UTC()
}

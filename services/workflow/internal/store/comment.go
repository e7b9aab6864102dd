package store

import (
	"context"
	"fmt"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/domain"
	"github.com/braidhq/braid/services/workflow/internal/store/db"
)

// Comments declares what a list of a task's comments can be asked for.
var Comments = list.Spec{
	Name: "comments",
	Fields: map[string]list.Field{
		"authorId":   {Column: "author_id", Type: list.ID},
		"createTime": {Column: "created_at", Type: list.Time},
	},
	Orders:   map[string]list.Order{"createTime": {Column: "created_at", Type: list.Time}},
	Default:  "createTime",
	Tiebreak: list.Order{Column: "id", Type: list.ID},
}

// InsertComment queues a new comment and the project's revision.
func InsertComment(ctx context.Context, tx *pg.Tx, project domain.Project, comment domain.Comment) error {
	if err := SaveRevision(ctx, tx, project); err != nil {
		return err
	}
	return queued(tx).InsertComment(ctx, db.InsertCommentParams{
		OrganizationID: comment.OrganizationID, ID: comment.ID, TaskID: comment.TaskID, AuthorID: comment.AuthorID,
		Body: comment.Body, CreatedAt: comment.CreateTime, Revision: comment.Revision,
	})
}

// LockComment is LockTask with one of the task's comments.
func LockComment(ctx context.Context, tx *pg.Tx, organizationID, taskID, commentID id.ID) (domain.Project, domain.Task, domain.Comment, error) {
	row, err := db.New(tx).LockComment(ctx, organizationID, taskID, commentID)
	return toProject(row.Project), toTask(row.Task), toComment(row.Comment), explain("lock comment", err)
}

// SaveComment queues the comment's text and the project's revision.
func SaveComment(ctx context.Context, tx *pg.Tx, project domain.Project, comment domain.Comment) error {
	if err := SaveRevision(ctx, tx, project); err != nil {
		return err
	}
	return queued(tx).UpdateComment(ctx, db.UpdateCommentParams{
		OrganizationID: comment.OrganizationID, ID: comment.ID, Body: comment.Body, UpdatedAt: comment.UpdateTime,
		Revision: comment.Revision,
	})
}

// DeleteComment queues the removal of a comment, and the project's revision.
func DeleteComment(ctx context.Context, tx *pg.Tx, project domain.Project, comment domain.Comment) error {
	if err := SaveRevision(ctx, tx, project); err != nil {
		return err
	}
	return queued(tx).DeleteComment(ctx, comment.OrganizationID, comment.ID)
}

// The page hangs on its parent as in ListTasks.
var listComments = "select " + pg.Columns[db.Comment]() + " from comment where organization_id = $1 and task_id = $2"

const (
	listCommentsBefore = "select page.* from task left join ("
	listCommentsAfter  = ") as page on true where task.organization_id = $1 and task.id = $2"
)

// ListComments reads a page of a task's comments; ErrNotFound when there is no such task.
func ListComments(ctx context.Context, querier pg.Querier, query *list.Query, organizationID, taskID id.ID) ([]domain.Comment, string, error) {
	sql, arguments := query.Build(listComments, organizationID, taskID)
	rows, err := querier.Query(ctx, listCommentsBefore+sql+listCommentsAfter, arguments...)
	if err != nil {
		return nil, "", fmt.Errorf("list comments: %w", err)
	}
	comments, err := readPage(rows, toComment)
	if err != nil {
		return nil, "", explain("list comments", err)
	}
	next, page := list.Page(query, comments, func(comment domain.Comment, order string) any {
		if order == "createTime" {
			return comment.CreateTime
		}
		return comment.ID
	})
	return page, next, nil
}

func toComment(row db.Comment) domain.Comment {
	return domain.Comment{
		OrganizationID: row.OrganizationID, ID: row.ID, TaskID: row.TaskID, AuthorID: row.AuthorID, Body: row.Body,
		CreateTime: row.CreatedAt.UTC(), UpdateTime: row.UpdatedAt.UTC(), Revision: row.Revision,
	}
}

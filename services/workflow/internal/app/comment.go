package app

import (
	"context"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/domain"
	"github.com/braidhq/braid/services/workflow/internal/store"
)

// CreateComment adds a comment to a task. It does not change the task.
func (a *App) CreateComment(ctx context.Context, tx *pg.Tx, taskID id.ID, body string) (domain.Comment, error) {
	now := a.clock.Now()
	work := call.From(ctx)
	comment, err := domain.NewComment(work.OrganizationID, taskID, work.Actor.UserID, body, now)
	if err != nil {
		return domain.Comment{}, err
	}
	project, task, err := a.lockTask(ctx, tx, taskID, "")
	if err != nil {
		return domain.Comment{}, err
	}
	comment.Revision = project.NextRevision()
	if task.AddCommenter(comment.AuthorID) {
		if err := store.SaveCommenters(ctx, tx, task); err != nil {
			return domain.Comment{}, err
		}
	}
	if err := store.InsertComment(ctx, tx, project, comment); err != nil {
		return domain.Comment{}, err
	}
	return comment, a.record(ctx, tx, project, taskCommented(task, comment), now)
}

// ListComments returns a page of a task's comments and the token of the next one.
func (a *App) ListComments(ctx context.Context, taskID id.ID, request list.Request) ([]domain.Comment, string, error) {
	scope := pg.ScopeOf(ctx)
	request.Binding = []string{scope.OrganizationID.String(), taskID.String()}
	query, err := store.Comments.Parse(request)
	if err != nil {
		return nil, "", err
	}
	if call.From(ctx).CheckDecided() != nil {
		if _, err := a.GetTask(ctx, taskID); err != nil {
			return nil, "", err
		}
	}
	return store.ListComments(ctx, a.database.Read(scope), query, scope.OrganizationID, taskID)
}

// lockComment returns a comment that the caller may change, with its project locked. Whether it is the caller's own
// comes before what state it is in.
func (a *App) lockComment(ctx context.Context, tx *pg.Tx, taskID, commentID id.ID, etag string) (domain.Project, domain.Task, domain.Comment, error) {
	work := call.From(ctx)
	project, task, comment, err := store.LockComment(ctx, tx, work.OrganizationID, taskID, commentID)
	err = authorizeTask(ctx, task, err)
	if err == nil {
		err = comment.CheckAuthor(work.Actor.UserID)
	}
	if err == nil {
		err = project.CheckWritable()
	}
	if err == nil {
		err = domain.CheckETag(etag, comment.Revision)
	}
	return project, task, comment, err
}

// UpdateComment changes the text of one of the caller's own comments; a nil body changes nothing.
func (a *App) UpdateComment(ctx context.Context, tx *pg.Tx, taskID, commentID id.ID, body *string, etag string) (domain.Comment, error) {
	now := a.clock.Now()
	project, task, comment, err := a.lockComment(ctx, tx, taskID, commentID, etag)
	if err != nil || body == nil {
		return comment, err
	}
	changed, err := comment.Edit(*body, now)
	if err != nil || !changed {
		return comment, err
	}
	comment.Revision = project.NextRevision()
	if err := store.SaveComment(ctx, tx, project, comment); err != nil {
		return domain.Comment{}, err
	}
	return comment, a.record(ctx, tx, project, commentUpdated(task, comment), now)
}

// DeleteComment removes one of the caller's own comments. Its author still counts as one who took part.
func (a *App) DeleteComment(ctx context.Context, tx *pg.Tx, taskID, commentID id.ID, etag string) error {
	project, task, comment, err := a.lockComment(ctx, tx, taskID, commentID, etag)
	if err != nil {
		return err
	}
	revision := project.NextRevision()
	if err := store.DeleteComment(ctx, tx, project, comment); err != nil {
		return err
	}
	return a.record(ctx, tx, project, commentDeleted(task, comment, revision), a.clock.Now())
}

package api

import (
	"context"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/fieldmask"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/app"
)

// Comments serves braid.workflow.v1.CommentService.
type Comments struct {
	app    *app.App
	runner idempotency.Runner
}

// NewComments returns the handlers of comments.
func NewComments(app *app.App, runner idempotency.Runner) *Comments {
	return &Comments{app: app, runner: runner}
}

// CreateComment implements CommentServiceHandler.
func (c *Comments) CreateComment(ctx context.Context, request *workflowv1.CreateCommentRequest) (*workflowv1.Comment, error) {
	return idempotency.Run(ctx, c.runner, func(ctx context.Context, tx *pg.Tx) (*workflowv1.Comment, error) {
		comment, err := c.app.CreateComment(ctx, tx, id.ParseOrZero(request.GetTaskId()), request.GetBody())
		if err != nil {
			return nil, err
		}
		return app.EncodeComment(comment), nil
	})
}

// ListComments implements CommentServiceHandler.
func (c *Comments) ListComments(ctx context.Context, request *workflowv1.ListCommentsRequest) (*workflowv1.ListCommentsResponse, error) {
	comments, next, err := c.app.ListComments(ctx, id.ParseOrZero(request.GetTaskId()), list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	return &workflowv1.ListCommentsResponse{Comments: encodeAll(comments, app.EncodeComment), NextPageToken: next}, nil
}

var commentFields = fieldmask.For(&workflowv1.Comment{})

// UpdateComment implements CommentServiceHandler.
func (c *Comments) UpdateComment(ctx context.Context, request *workflowv1.UpdateCommentRequest) (*workflowv1.Comment, error) {
	fields, err := commentFields.Read(request.GetUpdateMask(), request.GetComment())
	if err != nil {
		return nil, err
	}
	var body *string
	if fields.Has("body") {
		body = &request.GetComment().Body
	}
	return idempotency.Run(ctx, c.runner, func(ctx context.Context, tx *pg.Tx) (*workflowv1.Comment, error) {
		comment, err := c.app.UpdateComment(ctx, tx, id.ParseOrZero(request.GetTaskId()), id.ParseOrZero(request.GetCommentId()), body,
			request.GetComment().GetEtag())
		if err != nil {
			return nil, err
		}
		encoded := app.EncodeComment(comment)
		return encoded, fields.Keeps(encoded, "comment")
	})
}

// DeleteComment implements CommentServiceHandler.
func (c *Comments) DeleteComment(ctx context.Context, request *workflowv1.DeleteCommentRequest) (*workflowv1.DeleteCommentResponse, error) {
	return idempotency.Run(ctx, c.runner, func(ctx context.Context, tx *pg.Tx) (*workflowv1.DeleteCommentResponse, error) {
		return &workflowv1.DeleteCommentResponse{}, c.app.DeleteComment(ctx, tx, id.ParseOrZero(request.GetTaskId()),
			id.ParseOrZero(request.GetCommentId()), request.GetEtag())
	})
}

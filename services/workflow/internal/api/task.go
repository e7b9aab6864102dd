package api

import (
	"context"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/app"
	"github.com/braidhq/braid/services/workflow/internal/domain"
)

// Tasks serves braid.workflow.v1.TaskService.
type Tasks struct {
	app    *app.App
	runner idempotency.Runner
}

// NewTasks returns the handlers of tasks.
func NewTasks(app *app.App, runner idempotency.Runner) *Tasks {
	return &Tasks{app: app, runner: runner}
}

// CreateTask implements TaskServiceHandler.
func (t *Tasks) CreateTask(ctx context.Context, request *workflowv1.CreateTaskRequest) (*workflowv1.Task, error) {
	due, err := decodeTime("dueTime", request.GetDueTime())
	if err != nil {
		return nil, err
	}
	draft := domain.TaskDraft{
		Title: request.GetTitle(), Description: request.GetDescription(), Priority: decodePriority(request.GetPriority()),
		AssigneeID: decodeID(request.GetAssigneeId()), DueTime: due, Labels: request.GetLabels(),
	}
	refusal := t.app.CheckAssignee(ctx, draft.AssigneeID)
	projectID := decodeID(request.GetProjectId())
	return idempotency.Run(ctx, t.runner.Sharing(projectID), func(ctx context.Context, tx *pg.Tx) (*workflowv1.Task, error) {
		if refusal != nil {
			return nil, refusal
		}
		task, err := t.app.CreateTask(ctx, tx, projectID, draft)
		if err != nil {
			return nil, err
		}
		return app.EncodeTask(task), nil
	})
}

// ListTasks implements TaskServiceHandler.
func (t *Tasks) ListTasks(ctx context.Context, request *workflowv1.ListTasksRequest) (*workflowv1.ListTasksResponse, error) {
	tasks, next, err := t.app.ListTasks(ctx, decodeID(request.GetProjectId()), decodePage(request, request.GetFilter(), request.GetOrderBy()))
	if err != nil {
		return nil, err
	}
	return &workflowv1.ListTasksResponse{Tasks: encodeAll(tasks, app.EncodeTask), NextPageToken: next}, nil
}

// GetTask implements TaskServiceHandler.
func (t *Tasks) GetTask(ctx context.Context, request *workflowv1.GetTaskRequest) (*workflowv1.Task, error) {
	task, err := t.app.GetTask(ctx, decodeID(request.GetTaskId()))
	if err != nil {
		return nil, err
	}
	return app.EncodeTask(task), nil
}

var (
	taskChangeable = []string{"title", "description", "priority", "assignee_id", "due_time", "labels", "status"}
	taskShown      = []string{"id", "organization_id", "project_id", "number", "key", "reporter_id", "create_time", "update_time", "etag"}
)

// UpdateTask implements TaskServiceHandler.
func (t *Tasks) UpdateTask(ctx context.Context, request *workflowv1.UpdateTaskRequest) (*workflowv1.Task, error) {
	update, err := decodeTaskUpdate(request)
	if err != nil {
		return nil, err
	}
	var refusal error
	if update.AssigneeID != nil {
		refusal = t.app.CheckAssignee(ctx, *update.AssigneeID)
	}
	return idempotency.Run(ctx, t.runner, func(ctx context.Context, tx *pg.Tx) (*workflowv1.Task, error) {
		if refusal != nil {
			return nil, refusal
		}
		task, err := t.app.UpdateTask(ctx, tx, decodeID(request.GetTaskId()), update)
		if err != nil {
			return nil, err
		}
		return app.EncodeTask(task), nil
	})
}

func decodeTaskUpdate(request *workflowv1.UpdateTaskRequest) (app.TaskUpdate, error) {
	wanted, err := readMask(request.GetUpdateMask(), request.GetTask(), taskChangeable, taskShown)
	if err != nil {
		return app.TaskUpdate{}, err
	}
	sent := request.GetTask()
	update := app.TaskUpdate{ETag: sent.GetEtag()}
	if wanted["title"] {
		update.Title = &sent.Title
	}
	if wanted["description"] {
		update.Description = &sent.Description
	}
	if wanted["priority"] {
		priority := decodePriority(sent.GetPriority())
		update.Priority = &priority
	}
	if wanted["assignee_id"] {
		assigneeID := decodeID(sent.GetAssigneeId())
		update.AssigneeID = &assigneeID
	}
	if wanted["due_time"] {
		due, err := decodeTime("task.dueTime", sent.GetDueTime())
		if err != nil {
			return app.TaskUpdate{}, err
		}
		update.DueTime = &due
	}
	if wanted["labels"] {
		update.Labels = &sent.Labels
	}
	if wanted["status"] {
		update.Status = &sent.Status
	}
	return update, nil
}

// DeleteTask implements TaskServiceHandler.
func (t *Tasks) DeleteTask(ctx context.Context, request *workflowv1.DeleteTaskRequest) (*workflowv1.DeleteTaskResponse, error) {
	return idempotency.Run(ctx, t.runner, func(ctx context.Context, tx *pg.Tx) (*workflowv1.DeleteTaskResponse, error) {
		return &workflowv1.DeleteTaskResponse{}, t.app.DeleteTask(ctx, tx, decodeID(request.GetTaskId()), request.GetEtag())
	})
}

// AssignTask implements TaskServiceHandler.
func (t *Tasks) AssignTask(ctx context.Context, request *workflowv1.AssignTaskRequest) (*workflowv1.Task, error) {
	assigneeID := decodeID(request.GetAssigneeId())
	refusal := t.app.CheckAssignee(ctx, assigneeID)
	return idempotency.Run(ctx, t.runner, func(ctx context.Context, tx *pg.Tx) (*workflowv1.Task, error) {
		if refusal != nil {
			return nil, refusal
		}
		task, err := t.app.AssignTask(ctx, tx, decodeID(request.GetTaskId()), assigneeID, request.GetEtag())
		if err != nil {
			return nil, err
		}
		return app.EncodeTask(task), nil
	})
}

// TransitionTask implements TaskServiceHandler.
func (t *Tasks) TransitionTask(ctx context.Context, request *workflowv1.TransitionTaskRequest) (*workflowv1.Task, error) {
	status, err := domain.ParseStatus(request.GetStatus())
	if err != nil {
		return nil, err
	}
	return idempotency.Run(ctx, t.runner, func(ctx context.Context, tx *pg.Tx) (*workflowv1.Task, error) {
		task, err := t.app.TransitionTask(ctx, tx, decodeID(request.GetTaskId()), status, request.GetEtag())
		if err != nil {
			return nil, err
		}
		return app.EncodeTask(task), nil
	})
}

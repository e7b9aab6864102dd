package api

import (
	"context"

	"google.golang.org/protobuf/reflect/protoreflect"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/fieldmask"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/list"
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
	draft := domain.TaskDraft{TaskContent: decodeContent(newTask(request)), AssigneeID: id.ParseOrZero(request.GetAssigneeId())}
	projectID := id.ParseOrZero(request.GetProjectId())
	return t.assign(ctx, t.runner.Sharing(projectID), draft.AssigneeID, func(ctx context.Context, tx *pg.Tx) (domain.Task, error) {
		return t.app.CreateTask(ctx, tx, projectID, draft)
	})
}

// ListTasks implements TaskServiceHandler.
func (t *Tasks) ListTasks(ctx context.Context, request *workflowv1.ListTasksRequest) (*workflowv1.ListTasksResponse, error) {
	tasks, next, err := t.app.ListTasks(ctx, id.ParseOrZero(request.GetProjectId()), list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	return &workflowv1.ListTasksResponse{Tasks: encodeAll(tasks, app.EncodeTask), NextPageToken: next}, nil
}

// GetTask implements TaskServiceHandler.
func (t *Tasks) GetTask(ctx context.Context, request *workflowv1.GetTaskRequest) (*workflowv1.Task, error) {
	task, err := t.app.GetTask(ctx, id.ParseOrZero(request.GetTaskId()))
	if err != nil {
		return nil, err
	}
	return app.EncodeTask(task), nil
}

var taskFields = fieldmask.For(&workflowv1.Task{})

// UpdateTask implements TaskServiceHandler.
func (t *Tasks) UpdateTask(ctx context.Context, request *workflowv1.UpdateTaskRequest) (*workflowv1.Task, error) {
	fields, err := taskFields.Read(request.GetUpdateMask(), request.GetTask())
	if err != nil {
		return nil, err
	}
	update := decodeTaskUpdate(request.GetTask(), fields)
	return t.assign(ctx, t.runner, update.AssigneeID, func(ctx context.Context, tx *pg.Tx) (domain.Task, error) {
		task, err := t.app.UpdateTask(ctx, tx, id.ParseOrZero(request.GetTaskId()), update)
		if err != nil {
			return domain.Task{}, err
		}
		return task, fields.Keeps(app.EncodeTask(task), "task")
	})
}

func decodeTaskUpdate(sent *workflowv1.Task, fields fieldmask.Update) app.TaskUpdate {
	has := func(field string) bool { return fields.Has(protoreflect.Name(field)) }
	update := app.TaskUpdate{ETag: sent.GetEtag(), TaskPatch: domain.TaskPatch{TaskContent: decodeContent(sent), Has: has}}
	if fields.Has("assignee_id") {
		update.Assigns, update.AssigneeID = true, id.ParseOrZero(sent.GetAssigneeId())
	}
	return update
}

// newTask makes a task of what a request says about a new one: the fields that both have, so that creating and changing
// read them in one place.
func newTask(request *workflowv1.CreateTaskRequest) *workflowv1.Task {
	task := &workflowv1.Task{}
	made := task.ProtoReflect()
	request.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if target := made.Descriptor().Fields().ByName(field.Name()); target != nil {
			made.Set(target, value)
		}
		return true
	})
	return task
}

// decodeContent reads what people write about a task.
func decodeContent(sent *workflowv1.Task) domain.TaskContent {
	return domain.TaskContent{
		Title:       sent.GetTitle(),
		Description: sent.GetDescription(),
		Priority:    decodePriority(sent.GetPriority()),
		DueTime:     decodeTime(sent.GetDueTime()),
		Labels:      sent.GetLabels(),
	}
}

// DeleteTask implements TaskServiceHandler.
func (t *Tasks) DeleteTask(ctx context.Context, request *workflowv1.DeleteTaskRequest) (*workflowv1.DeleteTaskResponse, error) {
	return idempotency.Run(ctx, t.runner, func(ctx context.Context, tx *pg.Tx) (*workflowv1.DeleteTaskResponse, error) {
		return &workflowv1.DeleteTaskResponse{}, t.app.DeleteTask(ctx, tx, id.ParseOrZero(request.GetTaskId()), request.GetEtag())
	})
}

// AssignTask implements TaskServiceHandler.
func (t *Tasks) AssignTask(ctx context.Context, request *workflowv1.AssignTaskRequest) (*workflowv1.Task, error) {
	assigneeID := id.ParseOrZero(request.GetAssigneeId())
	return t.assign(ctx, t.runner, assigneeID, func(ctx context.Context, tx *pg.Tx) (domain.Task, error) {
		return t.app.AssignTask(ctx, tx, id.ParseOrZero(request.GetTaskId()), assigneeID, request.GetEtag())
	})
}

// TransitionTask implements TaskServiceHandler.
func (t *Tasks) TransitionTask(ctx context.Context, request *workflowv1.TransitionTaskRequest) (*workflowv1.Task, error) {
	status, err := domain.ParseStatus(request.GetStatus())
	if err != nil {
		return nil, err
	}
	return idempotency.Run(ctx, t.runner, func(ctx context.Context, tx *pg.Tx) (*workflowv1.Task, error) {
		task, err := t.app.TransitionTask(ctx, tx, id.ParseOrZero(request.GetTaskId()), status, request.GetEtag())
		if err != nil {
			return nil, err
		}
		return app.EncodeTask(task), nil
	})
}

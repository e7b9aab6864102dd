package app

import (
	"context"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/domain"
	"github.com/braidhq/braid/services/workflow/internal/store"
)

// TaskUpdate is what a caller wants changed.
type TaskUpdate struct {
	domain.TaskPatch
	ETag string
	// Assigns says that the task is also assigned: to AssigneeID, with the zero id to nobody.
	Assigns    bool
	AssigneeID id.ID
}

// CreateTask makes a task with the project's next number. It costs one round trip, and one with COMMIT; and one before
// these where it depends on the project whether its maker may.
func (a *App) CreateTask(ctx context.Context, tx *pg.Tx, projectID id.ID, draft domain.TaskDraft) (domain.Task, error) {
	now := a.clock.Now()
	work := call.From(ctx)
	task, err := domain.NewTask(work.OrganizationID, projectID, work.Actor.UserID, draft, now)
	if err != nil {
		return domain.Task{}, err
	}
	if err := a.checkPlace(ctx, tx, projectID); err != nil {
		return domain.Task{}, err
	}
	if err := store.InsertTask(ctx, tx, &task); err != nil {
		return domain.Task{}, err
	}
	project := domain.Project{OrganizationID: task.OrganizationID, ID: task.ProjectID, Revision: task.Revision}
	return task, a.record(ctx, tx, project, taskCreated(task), now)
}

// checkPlace asks the project whether something may be made in it, where only the project can tell.
func (a *App) checkPlace(ctx context.Context, tx *pg.Tx, projectID id.ID) error {
	work := call.From(ctx)
	if !work.IsUndecided() {
		return nil
	}
	project, err := store.GetProject(ctx, tx, work.OrganizationID, projectID)
	return authorizeProject(ctx, project, err)
}

// GetTask returns a task of the caller's organization.
func (a *App) GetTask(ctx context.Context, taskID id.ID) (domain.Task, error) {
	scope := pg.ScopeOf(ctx)
	task, err := store.GetTask(ctx, a.database.Point(scope), scope.OrganizationID, taskID)
	return task, authorizeTask(ctx, task, err)
}

// authorizeTask goes on with a task that was read when the caller may do with it what they are about to.
func authorizeTask(ctx context.Context, task domain.Task, err error) error {
	if err != nil {
		return err
	}
	return call.From(ctx).Authorize(ctx, call.Resource{Type: "task", ID: task.ID, ProjectID: task.ProjectID, OwnerID: task.ReporterID})
}

// visible is what the caller may see of a list; nil is everything.
func visible(ctx context.Context) *access.Reach {
	if reach, restricted := call.From(ctx).Reach(); restricted {
		return &reach
	}
	return nil
}

// ListTasks returns a page of those of a project's tasks that the caller may see, and the token of the next one. A project
// of whose tasks the caller could see none, whatever they were, isn't there for them.
func (a *App) ListTasks(ctx context.Context, projectID id.ID, request list.Request) ([]domain.Task, string, error) {
	scope := pg.ScopeOf(ctx)
	request.Binding = []string{scope.OrganizationID.String(), projectID.String()}
	query, err := store.Tasks.Parse(request)
	if err != nil {
		return nil, "", err
	}
	seen := visible(ctx)
	tasks, next, err := store.ListTasks(ctx, a.database.Read(scope), query, scope.OrganizationID, projectID, seen)
	if err == nil && seen != nil && len(tasks) == 0 {
		err = call.From(ctx).Authorize(ctx, call.Resource{Type: "task", ProjectID: projectID})
	}
	return tasks, next, err
}

// lockTask returns a task that may be changed, with its project locked.
func (a *App) lockTask(ctx context.Context, tx *pg.Tx, taskID id.ID, etag string) (domain.Project, domain.Task, error) {
	return a.lockTaskFor(ctx, tx, taskID, id.ID{}, etag)
}

// lockTaskFor is lockTask for giving the task to somebody, or with the zero id to nobody.
func (a *App) lockTaskFor(ctx context.Context, tx *pg.Tx, taskID, assigneeID id.ID, etag string) (domain.Project, domain.Task, error) {
	project, task, err := store.LockTaskFor(ctx, tx, call.From(ctx).OrganizationID, taskID, assigneeID)
	if err = authorizeTask(ctx, task, err); err != nil {
		return domain.Project{}, domain.Task{}, err
	}
	if err := project.CheckWritable(); err != nil {
		return domain.Project{}, domain.Task{}, err
	}
	return project, task, domain.CheckETag(etag, task.Revision)
}

// UpdateTask changes a task's fields. Assigning is a change of its own: each has its revision and its event, and
// without a difference nothing happens.
func (a *App) UpdateTask(ctx context.Context, tx *pg.Tx, taskID id.ID, update TaskUpdate) (domain.Task, error) {
	now := a.clock.Now()
	project, task, err := a.lockTaskFor(ctx, tx, taskID, update.AssigneeID, update.ETag)
	if err != nil {
		return domain.Task{}, err
	}
	var facts []fact
	changedFields, err := task.Update(update.TaskPatch, now)
	if err != nil {
		return domain.Task{}, err
	}
	if len(changedFields) > 0 {
		task.Revision = project.NextRevision()
		facts = append(facts, taskUpdated(task, changedFields))
	}
	if update.Assigns {
		previous := task.AssigneeID
		if task.Assign(update.AssigneeID, now) {
			task.Revision = project.NextRevision()
			facts = append(facts, taskAssigned(task, previous))
		}
	}
	return task, a.saveTask(ctx, tx, project, task, facts)
}

// AssignTask gives a task to a member, or with the zero id to nobody. Without a difference nothing happens.
func (a *App) AssignTask(ctx context.Context, tx *pg.Tx, taskID, assigneeID id.ID, etag string) (domain.Task, error) {
	project, task, err := a.lockTaskFor(ctx, tx, taskID, assigneeID, etag)
	if err != nil {
		return domain.Task{}, err
	}
	previous := task.AssigneeID
	if !task.Assign(assigneeID, a.clock.Now()) {
		return task, nil
	}
	task.Revision = project.NextRevision()
	return task, a.saveTask(ctx, tx, project, task, []fact{taskAssigned(task, previous)})
}

// TransitionTask moves a task to another status. One that is opened again while its assignee has left meanwhile is
// nobody's from then on.
func (a *App) TransitionTask(ctx context.Context, tx *pg.Tx, taskID id.ID, to domain.Status, etag string) (domain.Task, error) {
	project, task, err := a.lockTask(ctx, tx, taskID, etag)
	if err != nil {
		return domain.Task{}, err
	}
	now, previous, assigneeID := a.clock.Now(), task.Status, task.AssigneeID
	if err := task.Move(to, now); err != nil {
		return domain.Task{}, err
	}
	task.Revision = project.NextRevision()
	facts := []fact{taskStatusChanged(task, previous)}
	if !previous.Open() && task.Status.Open() && !assigneeID.IsZero() {
		left, err := store.WasRemoved(ctx, tx, task.OrganizationID, assigneeID)
		if err != nil {
			return domain.Task{}, err
		}
		if left && task.Assign(id.ID{}, now) {
			task.Revision = project.NextRevision()
			facts = append(facts, taskAssigned(task, assigneeID))
		}
	}
	return task, a.saveTask(ctx, tx, project, task, facts)
}

// DeleteTask removes a task with its comments. Its number stays used.
func (a *App) DeleteTask(ctx context.Context, tx *pg.Tx, taskID id.ID, etag string) error {
	project, task, err := a.lockTask(ctx, tx, taskID, etag)
	if err != nil {
		return err
	}
	revision := project.NextRevision()
	if err := store.DeleteTask(ctx, tx, project, task); err != nil {
		return err
	}
	return a.record(ctx, tx, project, taskDeleted(task, revision), a.clock.Now())
}

func (a *App) saveTask(ctx context.Context, tx *pg.Tx, project domain.Project, task domain.Task, facts []fact) error {
	if len(facts) == 0 {
		return nil
	}
	if err := store.SaveTask(ctx, tx, project, task); err != nil {
		return err
	}
	for _, happened := range facts {
		if err := a.record(ctx, tx, project, happened, task.UpdateTime); err != nil {
			return err
		}
	}
	return nil
}
